//! The init: what fails there is reported, and what takes too long goes on in the first invocation.

use std::time::Duration;

use anyhost_tests::process::{PATIENCE, Process, binary};
use anyhost_tests::runtime_api::{Endpoint, Fault, RuntimeApi};
use anyhost_tests::servers::{Mode, Proxy};
use tempfile::TempDir;

use crate::function::{Function, content, get, last_words};

#[tokio::test]
async fn a_start_that_fails_is_reported_and_ends_the_process() {
    let function = Function::faulty(&[("START", "fails")]);
    let failed = function.api.init_error().await;
    assert_eq!(failed.header_type.as_deref(), Some("Runtime.StartFailed"));
    assert_eq!(failed.error_type, "Runtime.StartFailed");
    assert_eq!(failed.message, "the start fails");
    assert_eq!(function.exit(PATIENCE), Some(70));
    assert_eq!(last_words(&function.process), ["error: the start fails"]);
    assert_eq!(function.api.requests(Endpoint::Next), 0);
}

#[tokio::test]
async fn a_start_that_panics_is_reported_and_ends_the_process() {
    let function = Function::faulty(&[("START", "panics")]);
    assert_eq!(function.api.init_error().await.error_type, "Runtime.StartFailed");
    assert_eq!(function.exit(PATIENCE), Some(70));
    assert!(last_words(&function.process)[0].contains("the start panics"));
}

#[tokio::test]
async fn a_wrong_setting_is_reported_and_names_its_variable() {
    let settings =
        [("MAX_BODY", "much"), ("RESPONSE_MODE", "both"), ("AWS_LAMBDA_MAX_CONCURRENCY", "many")];
    for (variable, value) in settings {
        let function = Function::faulty(&[(variable, value)]);
        let failed = function.api.init_error().await;
        assert_eq!(failed.header_type.as_deref(), Some("Runtime.InvalidConfiguration"));
        assert!(failed.message.starts_with(&format!("{variable}: expected ")), "{failed:?}");
        assert_eq!(function.exit(PATIENCE), Some(78));
        assert_eq!(last_words(&function.process), [format!("error: {}", failed.message)]);
    }
}

#[tokio::test]
async fn a_report_that_breaks_is_sent_again() {
    let api = RuntimeApi::start();
    api.fault(Endpoint::InitError, Fault::Drop);
    api.fault(Endpoint::InitError, Fault::Status(500));
    let function = Function::faulty_on(api, &[("START", "fails")]);
    assert_eq!(function.api.init_error().await.message, "the start fails");
    assert_eq!(function.exit(PATIENCE), Some(70));
    assert_eq!(function.api.requests(Endpoint::InitError), 3);
}

#[test]
fn outside_of_lambda_one_line_says_what_is_missing() {
    let folder = TempDir::new().expect("a folder for temporary files");
    for (environment, line) in [
        (
            vec![],
            "AWS_LAMBDA_RUNTIME_API: is not set; expected host:port or an http URL, as Lambda sets it",
        ),
        (
            vec![("AWS_LAMBDA_RUNTIME_API", "https://nowhere")],
            "AWS_LAMBDA_RUNTIME_API: expected host:port or an http URL, as Lambda sets it, found \
             \"https://nowhere\"",
        ),
    ] {
        let process = Process::start(&binary("echo-lambda"), &[], folder.path(), &environment);
        assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(78));
        assert_eq!(last_words(&process), [format!("error: {line}")]);
    }
}

#[test]
fn a_check_refuses_an_address_that_a_start_would() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let environment = [("AWS_LAMBDA_RUNTIME_API", "https://nowhere")];
    let process = Process::start(&binary("echo-lambda"), &["check"], folder.path(), &environment);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(78));
    let lines = last_words(&process);
    assert!(lines[0].starts_with("error: AWS_LAMBDA_RUNTIME_API: expected host:port"), "{lines:?}");
}

#[test]
fn an_api_that_is_not_there_is_given_up_soon() {
    let folder = TempDir::new().expect("a folder for temporary files");
    // A port outside of the kernel's range for automatic ports, so that no other test's API uses it.
    let environment = [("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")];
    let process = Process::start(&binary("echo-lambda"), &[], folder.path(), &environment);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(69));
    let lines = last_words(&process);
    let last = |line: &&String| {
        line.starts_with(
            "error: the Lambda Runtime API cannot be reached: 127.0.0.1:1 (AWS_LAMBDA_RUNTIME_API): ",
        )
    };
    assert_eq!(lines.iter().filter(last).count(), 1, "{lines:?}");
}

#[tokio::test]
async fn an_extension_that_cannot_register_is_only_logged() {
    for fault in [Fault::Status(403), Fault::Drop, Fault::Delay(Duration::from_secs(3600))] {
        let api = RuntimeApi::start();
        api.fault(Endpoint::Register, fault);
        let function = Function::faulty_on(api, &[]);
        assert_eq!(function.get("/").await, (200, "ok".into()));
        function.process.wait_for_line(&["no extension"]);
    }
}

#[tokio::test]
async fn the_extension_registers_before_the_first_poll() {
    let function = Function::faulty(&[]);
    function.api.polled().await;
    assert_eq!(function.api.extensions(), ["anyhost"]);
    // Lambda waits for it: an init ends when every extension has asked for an event.
    function.api.requested(Endpoint::ExtensionNext, 1).await;
}

#[tokio::test]
async fn a_database_that_is_away_is_told_in_one_line_before_the_init_is_over() {
    // One that refuses, and one that takes bytes and never answers.
    let refusing = Proxy::start(9);
    refusing.set(Mode::Refuse);
    let silent = Proxy::start(9);
    silent.set(Mode::Blackhole);
    let cases = [(&refusing, "Connection refused"), (&silent, "no answer within")];
    let cases = cases.map(|(proxy, reason)| async move {
        let url = proxy.url("postgres://app:hunter2@127.0.0.1:5432/app");
        let function = Function::notes_without_schema(&url);
        let failed = function.api.init_error().await;
        assert_eq!(failed.header_type.as_deref(), Some("Runtime.DependencyUnavailable"));
        let said = &failed.message;
        assert!(said.starts_with("the database cannot be reached: "), "{said}");
        assert!(said.contains(reason) && !said.contains("hunter2"), "{said}");
        assert_eq!(function.exit(PATIENCE), Some(69));
        assert!(last_words(&function.process).contains(&format!("error: {said}")), "{said}");
        // A start that outlasts the init polls for the first invocation.
        assert_eq!(function.api.requests(Endpoint::Next), 0);
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test]
async fn a_start_that_takes_longer_than_an_init_goes_on_in_the_first_invocation() {
    let function = Function::faulty(&[("START_TAKES", "11s")]);
    let invocation = function.api.send(get("/"));
    function.api.running(1).await;
    assert_eq!(content(&invocation.answer().await), (200, "ok".into()));
    function.process.wait_for_line(&["goes on in the first invocation"]);
}

#[tokio::test]
async fn a_late_start_that_fails_fails_the_first_invocation() {
    let function = Function::faulty(&[("START_TAKES", "11s"), ("START", "fails")]);
    let failed = function.api.invoke(get("/")).await.error();
    assert_eq!(failed.header_type.as_deref(), Some("Runtime.StartFailed"));
    assert_eq!(failed.message, "the start fails");
    assert_eq!(function.exit(PATIENCE), Some(70));
}
