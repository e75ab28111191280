//! Streaming: a prelude, eight NULs, the body as it is produced, and trailers if it breaks off.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::function::{Function, content, get, get_alb};

const STREAMING: &[(&str, &str)] = &[("RESPONSE_MODE", "streaming")];

#[tokio::test]
async fn a_stream_has_its_prelude_and_comes_as_it_is_made() {
    let function = Function::faulty(STREAMING);
    let response = function.api.invoke(get("/chunks")).await.response();
    assert!(response.streamed());
    let expected = "application/vnd.awslambda.http-integration-response";
    assert_eq!(response.headers["content-type"], expected);
    let (prelude, body) = response.prelude();
    let headers =
        json!({"x-request-id": prelude["headers"]["x-request-id"].as_str().expect("an id")});
    assert_eq!(prelude, json!({"statusCode": 201, "headers": headers, "cookies": ["a=1", "b=2"]}));
    assert_eq!(body, b"one two three");
    assert!(response.trailers.is_none(), "{:?}", response.trailers);
    // The second piece is made only after the first has arrived.
    let invocation = function.api.send(get("/gated-chunks"));
    function.api.arrived("one ").await;
    function.open_gate();
    assert_eq!(invocation.answer().await.response().prelude().1, b"one two");
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_in_error_trailers() {
    let function = Function::echo(STREAMING);
    let response = function.api.invoke(get("/r/err")).await.response();
    assert_eq!(response.prelude().1, b"part");
    let trailers = response.trailers.expect("trailers");
    assert_eq!(trailers["lambda-runtime-function-error-type"], "Function.StreamError");
    let error = BASE64_STANDARD.decode(&trailers["lambda-runtime-function-error-body"]);
    let error: serde_json::Value =
        serde_json::from_slice(&error.expect("base64")).expect("the error is JSON");
    assert_eq!(error["errorType"], "Function.StreamError");
    assert_eq!(
        function.api.invoke(get("/r/text")).await.response().prelude().1,
        "h\u{e9}llo".as_bytes()
    );
}

#[tokio::test]
async fn a_body_that_panics_ends_in_error_trailers() {
    let function = Function::faulty(STREAMING);
    let response = function.api.invoke(get("/stream-panics")).await.response();
    let trailers = response.trailers.expect("trailers");
    assert_eq!(trailers["lambda-runtime-function-error-type"], "Function.Panic");
    assert_eq!(function.api.invoke(get("/")).await.response().prelude().1, b"ok");
}

#[tokio::test]
async fn a_stream_that_takes_too_long_is_broken_off_in_time() {
    let function = Function::faulty(STREAMING);
    function.api.set_timeout(Some(Duration::from_secs(5)));
    // The gate stays closed.
    let response = function.api.invoke(get("/gated-chunks")).await.response();
    assert_eq!(response.prelude().1, b"one ");
    let trailers = response.trailers.expect("trailers");
    assert_eq!(trailers["lambda-runtime-function-error-type"], "Function.Timeout");
}

#[tokio::test]
async fn a_response_that_is_not_ready_in_time_is_a_whole_504() {
    let function = Function::faulty(STREAMING);
    function.api.set_timeout(Some(Duration::from_secs(1)));
    let response = function.api.invoke(get("/wait?3600000")).await.response();
    assert!(response.trailers.is_none(), "{:?}", response.trailers);
    let (prelude, body) = response.prelude();
    assert_eq!(prelude["statusCode"], 504);
    assert_eq!(prelude["headers"]["content-type"], "application/problem+json");
    let problem: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    assert_eq!(problem["title"], "Gateway Timeout");
}

#[tokio::test]
async fn more_than_six_mebibytes_can_be_streamed() {
    let function = Function::echo(STREAMING);
    let response = function.api.invoke(get("/r/big7mb")).await.response();
    assert_eq!(response.prelude().1.len(), 7 << 20);
}

#[tokio::test]
async fn a_source_that_takes_no_streams_gets_one_piece_and_the_log_says_so() {
    let function = Function::faulty(STREAMING);
    for _ in 0..2 {
        let answer = function.api.invoke(get_alb("/chunks")).await;
        assert!(!answer.clone().response().streamed());
        assert_eq!(content(&answer), (201, "one two three".into()));
    }
    function.process.wait_for_line(&["takes no streams"]);
    let lines = function.process.log().lines();
    let told: Vec<&String> =
        lines.iter().filter(|line| line.contains("takes no streams")).collect();
    assert_eq!(told.len(), 1, "{lines:?}");
}

#[tokio::test]
async fn a_body_that_panics_before_it_is_sent_is_a_500() {
    let function = Function::faulty(&[]);
    assert_eq!(function.get("/stream-panics").await.0, 500);
    assert_eq!(function.get("/chunks").await, (201, "one two three".into()));
}
