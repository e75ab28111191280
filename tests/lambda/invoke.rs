//! Invocations: they are answered in time, fail if they are not requests, and do not affect each other.

use std::time::Duration;

use anyhost_tests::runtime_api::{Answer, Endpoint, Freeze};
use anyhost_tests::wait::eventually;
use serde_json::json;

use crate::function::{Function, content, get, get_alb, problem};

#[tokio::test]
async fn an_event_that_is_no_http_request_fails_the_invocation() {
    let function = Function::echo(&[]);
    for event in [
        json!({"Records": [{"eventSource": "aws:sqs", "body": "{}", "messageId": "1"}]}),
        json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}),
        json!({"requestContext": {"connectionId": "x", "eventType": "CONNECT", "stage": "prod"}}),
        json!({"type": "REQUEST", "methodArn": "arn:aws:execute-api:x", "httpMethod": "GET",
            "path": "/", "requestContext": {"stage": "prod", "identity": {}}}),
        json!({"version": "2.0", "type": "REQUEST", "routeArn": "arn:aws:execute-api:x",
            "requestContext": {"http": {"method": "GET"}}}),
        json!({}),
        json!("text"),
        json!(null),
        json!([{"httpMethod": "GET"}]),
        json!(17),
    ] {
        let failed = function.api.invoke(event.to_string()).await.error();
        assert_eq!(failed.header_type.as_deref(), Some("Runtime.NotAnHttpEvent"), "{event}");
        assert_eq!(failed.error_type, "Runtime.NotAnHttpEvent", "{event}");
        assert!(failed.message.contains("no HTTP request"), "{event}");
    }
    assert_eq!(function.get("/r/text").await.0, 200);
}

#[tokio::test]
async fn a_broken_event_fails_the_invocation() {
    let function = Function::echo(&[]);
    for event in ["{\"version\":\"2.0", "", "\u{0}", "{\"body\":17}", "{}}", "\"\\ud800\""] {
        let failed = function.api.invoke(event.to_owned()).await.error();
        assert_eq!(failed.error_type, "Runtime.BrokenEvent", "{event}");
        assert!(failed.message.starts_with("the event is not JSON: "), "{failed:?}");
    }
    let no_utf8 = &b"{\"path\":\"\xff\"}"[..];
    assert_eq!(function.api.invoke(no_utf8).await.error().error_type, "Runtime.BrokenEvent");
    let no_method = r#"{"requestContext":{"http":{}},"rawPath":"/"}"#;
    let failed = function.api.invoke(no_method).await.error();
    assert_eq!(failed.error_type, "Runtime.IncompleteHttpEvent");
    assert_eq!(function.get("/r/text").await.0, 200);
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_process_lives() {
    let function = Function::echo(&[]);
    let id = function.process.id();
    for event in [get("/r/panic"), get_alb("/r/panic")] {
        let (status, body) = content(&function.api.invoke(event).await);
        assert_eq!(status, 500);
        assert_eq!(problem(&body)["title"], "Internal Server Error");
    }
    assert_eq!(function.get("/r/text").await, (200, "h\u{e9}llo".into()));
    assert_eq!(function.process.id(), id);
}

#[tokio::test]
async fn seven_mebibytes_are_a_500_with_both_sizes_in_the_log() {
    let function = Function::echo(&[]);
    let (status, body) = function.get("/r/big7mb").await;
    assert_eq!(status, 500);
    assert_eq!(problem(&body)["status"], 500);
    function.process.wait_for_line(&["limit of 6291456"]);
    let lines = function.process.log().lines();
    let told: Vec<&String> =
        lines.iter().filter(|line| line.contains("limit of 6291456")).collect();
    assert_eq!(told.len(), 1, "{lines:?}");
    assert!(told[0].contains("7340032"), "{told:?}");
    assert_eq!(function.get("/r/text").await.0, 200);
}

#[tokio::test]
async fn a_load_balancer_takes_no_more_than_a_mebibyte() {
    let function = Function::echo(&[]);
    let (status, _) = content(&function.api.invoke(get_alb("/r/bin5mb")).await);
    assert_eq!(status, 500);
    function.process.wait_for_line(&["limit of 1048576"]);
}

#[tokio::test]
async fn what_takes_too_long_is_a_504_before_lambda_kills() {
    let function = Function::faulty(&[]);
    function.api.set_timeout(Some(Duration::from_secs(1)));
    // How much before the deadline is a rule of `give_up` in `adapter-lambda/src/invoke.rs`.
    let (status, body) = function.get("/wait?3600000").await;
    assert_eq!((status, problem(&body)["title"].as_str()), (504, Some("Gateway Timeout")));
    assert_eq!(function.get("/wait?1").await, (200, "waited".into()));
}

#[tokio::test]
async fn the_deadline_is_lambdas_own_less_a_margin() {
    let function = Function::faulty(&[]);
    function.api.set_timeout(Some(Duration::from_secs(900)));
    let (_, left) = function.get("/remaining").await;
    let left: u64 = left.parse().expect("milliseconds");
    assert!((600_000..=899_500).contains(&left), "{left}");
    // The number that `cargo lambda watch` sends is not a deadline.
    function.api.set_timeout(None);
    assert_eq!(function.get("/remaining").await.1, "unknown");
}

#[tokio::test]
async fn the_trace_is_a_traceparent() {
    let function = Function::faulty(&[]);
    let expected = "00-5bef4de7ad49b0e87f6ef6c87fc2e700-9a9197af755a6419-01";
    assert_eq!(function.get("/trace").await.1, expected);
}

#[tokio::test]
async fn the_raw_event_is_there_for_who_wants_it() {
    let function = Function::faulty(&[]);
    assert_eq!(function.get("/event").await.1, get("/event"));
}

#[tokio::test]
async fn a_url_with_a_path_is_an_address_too() {
    let function = Function::echo_behind_a_path();
    assert_eq!(function.get("/r/text").await.0, 200);
    assert_eq!(function.api.extensions(), ["anyhost"]);
}

#[tokio::test]
async fn work_after_the_response_ends_before_the_next_poll() {
    let function = Function::faulty(&[]);
    assert_eq!(function.get("/after").await, (200, "before".into()));
    // The response did not wait for the work, and the process does not poll before it is done.
    assert_eq!(function.api.requests(Endpoint::Next), 1);
    function.open_gate();
    function.api.polled().await;
    let _frozen = Freeze::new(&function.process);
    // It stands still: what is written now was written before the poll.
    function.process.wait_for_line(&["the work after the response is done"]);
}

#[tokio::test]
async fn a_frozen_process_answers_when_it_thaws() {
    let function = Function::faulty(&[]);
    assert_eq!(function.get("/").await, (200, "ok".into()));
    for _ in 0..3 {
        function.api.polled().await;
        let frozen = Freeze::new(&function.process);
        let invocation = function.api.send(get("/"));
        drop(frozen);
        assert_eq!(content(&invocation.answer().await), (200, "ok".into()));
    }
}

#[tokio::test]
async fn a_managed_instance_answers_many_at_once() {
    let function = Function::faulty(&[("AWS_LAMBDA_MAX_CONCURRENCY", "3")]);
    let invocations: Vec<_> = (0..3).map(|_| function.api.send(get("/gated"))).collect();
    // All three are in the App before any is answered.
    eventually("three stand at the gate", || {
        let text = function.process.log().text();
        (text.matches("at the gate").count() == 3).then_some(())
    });
    function.open_gate();
    for invocation in invocations {
        assert_eq!(content(&invocation.answer().await), (200, "passed".into()));
    }
}

#[tokio::test]
async fn a_log_line_in_json_names_its_request() {
    let function = Function::echo(&[("AWS_LAMBDA_LOG_FORMAT", "JSON")]);
    let invocation = function.api.send(get("/r/err"));
    let id = invocation.id().to_owned();
    let Answer::Response(_) = invocation.answer().await else { panic!("a 500 is an answer") };
    let line = function.process.wait_for_line(&["ERROR"]);
    let line: serde_json::Value = serde_json::from_str(&line).expect("every line is JSON");
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["requestId"], id.as_str());
    assert!(line["traceId"].as_str().expect("a trace").starts_with("Root=1-"));
    assert!(line["timestamp"].as_str().expect("a time").ends_with('Z'));
    assert!(!line["message"].as_str().expect("a message").is_empty());
}
