//! Faults of the Runtime API: tried again a bounded number of times, never a panic, never a busy loop.

use std::time::Duration;

use anyhost_tests::process::PATIENCE;
use anyhost_tests::runtime_api::{Endpoint, Fault, RuntimeApi};

use crate::function::{Function, content, get, last_words};

/// A poll and five more.
const POLLS: usize = 6;

#[tokio::test]
async fn a_poll_that_fails_is_tried_again() {
    for fault in [
        Fault::Status(500),
        Fault::Status(403),
        Fault::Status(204),
        Fault::Status(302),
        Fault::Drop,
    ] {
        let api = RuntimeApi::start();
        api.fault(Endpoint::Next, fault.clone());
        let function = Function::faulty_on(api, &[]);
        assert_eq!(function.get("/").await, (200, "ok".into()), "{fault:?}");
        // One that failed, one that did not, and perhaps already the one for the next event.
        assert!((2..=3).contains(&function.api.requests(Endpoint::Next)), "{fault:?}");
    }
}

#[tokio::test]
async fn polls_that_fail_without_end_end_the_process_after_a_bounded_number() {
    for (fault, words) in [
        (Fault::Status(500), "answered 500 Internal Server Error"),
        (Fault::Drop, "broke the connection"),
    ] {
        let api = RuntimeApi::start();
        for _ in 0..100 {
            api.fault(Endpoint::Next, fault.clone());
        }
        let function = Function::faulty_on(api, &[]);
        assert_eq!(function.exit(PATIENCE), Some(69), "{fault:?}");
        assert_eq!(function.api.requests(Endpoint::Next), POLLS, "{fault:?}");
        let lines = last_words(&function.process);
        let last = |line: &String| {
            line.starts_with("error: the Lambda Runtime API") && line.contains(words)
        };
        assert_eq!(lines.iter().filter(|line| last(line)).count(), 1, "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("panicked")), "{lines:?}");
    }
}

#[tokio::test]
async fn an_event_without_an_id_cannot_be_answered_and_the_next_is() {
    let api = RuntimeApi::start();
    api.fault(Endpoint::Next, Fault::Without("lambda-runtime-aws-request-id"));
    let function = Function::faulty_on(api, &[]);
    let lost = function.api.send(get("/"));
    function.api.running(1).await;
    assert_eq!(function.get("/").await, (200, "ok".into()));
    assert!(lost.answer_within(Duration::ZERO).await.is_none());
    function.process.wait_for_line(&["without a lambda-runtime-aws-request-id"]);
}

#[tokio::test]
async fn an_event_that_is_cut_off_is_not_answered_with_half_of_it() {
    let api = RuntimeApi::start();
    api.fault(Endpoint::Next, Fault::Truncate);
    let function = Function::faulty_on(api, &[]);
    let _lost = function.api.send(get("/"));
    function.api.running(1).await;
    assert_eq!(function.get("/").await, (200, "ok".into()));
}

#[tokio::test]
async fn headers_that_are_missing_or_odd_cost_no_invocation() {
    for fault in [
        Fault::Without("lambda-runtime-deadline-ms"),
        Fault::Without("lambda-runtime-invoked-function-arn"),
        Fault::Without("lambda-runtime-trace-id"),
        Fault::Header("lambda-runtime-deadline-ms", "soon"),
        Fault::Header("lambda-runtime-deadline-ms", "600000"),
        Fault::Header("lambda-runtime-trace-id", "Root=1-zz"),
        Fault::Header("lambda-runtime-client-context", "{not json"),
        Fault::Header("lambda-runtime-cognito-identity", "{"),
    ] {
        let api = RuntimeApi::start();
        api.fault(Endpoint::Next, fault.clone());
        let function = Function::faulty_on(api, &[]);
        assert_eq!(function.get("/").await, (200, "ok".into()), "{fault:?}");
    }
}

#[tokio::test]
async fn an_answer_whose_connection_breaks_is_sent_again() {
    for fault in [Fault::Drop, Fault::DropAfter, Fault::Status(500)] {
        let api = RuntimeApi::start();
        api.fault(Endpoint::Response, fault.clone());
        let function = Function::faulty_on(api, &[]);
        assert_eq!(function.get("/").await, (200, "ok".into()), "{fault:?}");
        assert_eq!(function.get("/").await, (200, "ok".into()), "{fault:?}");
        assert_eq!(function.api.requests(Endpoint::Response), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn an_answer_that_lambda_refuses_is_one_line_and_the_next_is_served() {
    let api = RuntimeApi::start();
    api.fault(Endpoint::Response, Fault::Status(400));
    let function = Function::faulty_on(api, &[]);
    let _lost = function.api.send(get("/"));
    function.api.requested(Endpoint::Response, 1).await;
    assert_eq!(function.get("/").await, (200, "ok".into()));
    function.process.wait_for_line(&["did not take the answer"]);
    let lines = function.process.log().lines();
    assert_eq!(lines.iter().filter(|line| line.contains("did not take the answer")).count(), 1);
}

#[tokio::test]
async fn an_answer_that_lambda_finds_too_large_becomes_a_problem() {
    let api = RuntimeApi::start();
    api.fault(Endpoint::Response, Fault::Status(413));
    let function = Function::faulty_on(api, &[]);
    let (status, _) = content(&function.api.invoke(get("/")).await);
    assert_eq!(status, 500);
}

#[tokio::test]
async fn the_connection_is_kept_over_many_invocations() {
    let function = Function::faulty(&[]);
    for _ in 0..50 {
        assert_eq!(function.get("/").await, (200, "ok".into()));
    }
    function.api.requested(Endpoint::ExtensionNext, 1).await;
    assert_eq!(function.api.connections(), 2, "one polls and answers, one is the extension's");
}
