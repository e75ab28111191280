//! One program on every host: the same binary behind each adapter, chosen by what it finds when it starts.

use std::path::Path;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{launch, port_of};
use anyhost_tests::process::{PATIENCE, Process, Signal, binary};
use anyhost_tests::runtime_api::RuntimeApi;
use serde_json::json;

use crate::manager::Ear;

const PROGRAM: &str = "hello";

#[test]
fn without_a_sign_of_another_host_it_serves_as_on_a_paas() {
    let (process, _folder) = launch(PROGRAM, &[], &[("PORT", "0"), ("DYNO", "web.1")]);
    let answer = Wire::to(port_of(&process)).get("/");
    assert_eq!((answer.status, &*answer.body), (200, "hello from heroku\n"));
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0), "{}", process.log().text());
}

#[test]
fn under_systemd_it_says_that_it_is_ready() {
    let ear = Ear::new();
    let environment = [
        ("NOTIFY_SOCKET", ear.name.as_str()),
        ("INVOCATION_ID", "0123456789abcdef0123456789abcdef"),
        ("LISTEN", "127.0.0.1:0"),
    ];
    let (process, _folder) = launch(PROGRAM, &[], &environment);
    ear.hears("READY=1");
    let answer = Wire::to(port_of(&process)).get("/");
    assert_eq!((answer.status, &*answer.body), (200, "hello from systemd\n"));
    process.signal(Signal::TERM);
    ear.hears("STOPPING=1");
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0), "{}", process.log().text());
}

#[tokio::test]
async fn behind_the_runtime_api_it_is_a_function() {
    let api = RuntimeApi::start();
    let environment = api.environment(PROGRAM);
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let process = Process::start(&binary(PROGRAM), &[], Path::new("/"), &environment);
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
    assert_eq!(
        (&answer["statusCode"], &answer["body"]),
        (&json!(200), &json!("hello from lambda\n"))
    );
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0), "{}", process.log().text());
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
