//! One program on every host: the same binary behind each adapter, chosen by what it finds when it starts.

use std::path::Path;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{launch, port_of};
use anyhost_tests::process::{PATIENCE, Process, Signal, program_path};
use anyhost_tests::runtime_api::RuntimeApi;
use serde_json::json;

use crate::manager::NotifySocket;

const PROGRAM: &str = "hello";

/// Returns the body that a process answers to `GET /` with.
#[track_caller]
pub(crate) fn answer_of(process: &Process) -> String {
    let answer = Wire::to(port_of(process)).get("/");
    assert_eq!(answer.status, 200, "{}\n{}", answer.body, process.log().text());
    answer.body.to_string()
}

/// Waits for the good end of a process that was told to stop.
#[track_caller]
pub(crate) fn ends_well(process: &Process) {
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0), "{}", process.log().text());
}

/// Tells a process to stop, and waits until it has exited with 0.
#[track_caller]
pub(crate) fn stops(process: &Process) {
    process.signal(Signal::TERM);
    ends_well(process);
}

/// Returns what a program answers to `GET /` in the environment of a service of systemd.
#[track_caller]
pub(crate) fn answer_under_systemd(program: &str, more: &[(&str, &str)]) -> String {
    let ear = NotifySocket::new();
    let environment = [
        ("NOTIFY_SOCKET", ear.name.as_str()),
        ("INVOCATION_ID", "0123456789abcdef0123456789abcdef"),
        ("LISTEN", "127.0.0.1:0"),
    ];
    let (process, _folder) = launch(program, &[], &[&environment, more].concat());
    ear.hears("READY=1");
    let body = answer_of(&process);
    process.signal(Signal::TERM);
    ear.hears("STOPPING=1");
    ends_well(&process);
    body
}

/// Returns what a program answers to `GET /` as a function behind the Runtime API.
pub(crate) async fn answer_as_function(program: &str, more: &[(&str, &str)]) -> String {
    let api = RuntimeApi::start();
    let environment = api.environment("function");
    let environment = environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let environment: Vec<(&str, &str)> = environment.chain(more.iter().copied()).collect();
    let process = Process::start(&program_path(program), &[], Path::new("/"), &environment);
    let event = json!({
        "version": "2.0",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {"host": "abc.lambda-url.eu-central-1.on.aws"},
        "requestContext": {
            "domainName": "abc.lambda-url.eu-central-1.on.aws",
            "http": {"method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
        },
    });
    let answer = api.invoke(event.to_string()).await.response().json();
    assert_eq!(answer["statusCode"], 200, "{answer}\n{}", process.log().text());
    stops(&process);
    answer["body"].as_str().expect("a text").to_owned()
}

#[test]
fn without_a_sign_of_another_host_it_serves_as_on_a_paas() {
    let (process, _folder) = launch(PROGRAM, &[], &[("PORT", "0"), ("DYNO", "web.1")]);
    assert_eq!(answer_of(&process), "hello from heroku\n");
    stops(&process);
}

#[test]
fn under_systemd_it_says_that_it_is_ready() {
    assert_eq!(answer_under_systemd(PROGRAM, &[]), "hello from systemd\n");
}

#[tokio::test]
async fn behind_the_runtime_api_it_is_a_function() {
    assert_eq!(answer_as_function(PROGRAM, &[]).await, "hello from lambda\n");
}

#[test]
fn check_says_which_adapter_it_is_and_why() {
    for (variable, value, expected) in [
        ("PORT", "0", "adapter:    paas (no sign of AWS Lambda or systemd)"),
        ("ANYHOST_ADAPTER", "vm", "adapter:    vm (ANYHOST_ADAPTER is set)"),
    ] {
        let (process, _folder) = launch(PROGRAM, &["check"], &[(variable, value)]);
        assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0), "{}", process.log().text());
        let lines = process.log().lines();
        assert!(lines.iter().any(|line| line == expected), "{lines:?}");
    }
}

#[test]
fn a_wrong_adapter_is_one_line_and_exit_78() {
    let (process, _folder) = launch(PROGRAM, &[], &[("ANYHOST_ADAPTER", "heroku")]);
    process
        .wait_for_line(&["error: ANYHOST_ADAPTER: expected paas, vm or lambda, found \"heroku\""]);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(78));
}
