//! The end: SIGTERM, and what is finished before the process goes.

use std::time::{Duration, Instant};

use anyhost_tests::process::Signal;

use crate::function::{Function, content, get, last_words};

/// What Lambda leaves the runtime on the shortest path is 300 ms; the adapter promises 250. A loaded
/// machine gets as much again.
const SOON: Duration = Duration::from_millis(500);

#[tokio::test]
async fn sigterm_between_invocations_ends_the_process_at_once() {
    let function = Function::faulty(&[]);
    function.api.polled().await;
    assert_eq!(function.api.extensions(), ["anyhost"], "SIGTERM comes only with an extension");
    let asked = Instant::now();
    function.process.signal(Signal::TERM);
    assert_eq!(function.exit(SOON), Some(0));
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    assert_eq!(last_words(&function.process), ["stopped"]);
}

#[tokio::test]
async fn sigterm_mid_invocation_lets_it_answer_first() {
    let function = Function::faulty(&[]);
    let invocation = function.api.send(get("/wait?600"));
    function.process.wait_for_line(&["waiting"]);
    function.process.signal(Signal::TERM);
    assert_eq!(content(&invocation.answer().await), (200, "waited".into()));
    let answered = Instant::now();
    assert_eq!(function.exit(SOON), Some(0));
    assert!(answered.elapsed() < SOON, "{:?}", answered.elapsed());
    assert_eq!(last_words(&function.process), ["waiting", "stopped"]);
}

#[tokio::test]
async fn an_event_that_arrives_with_sigterm_is_answered() {
    let function = Function::faulty(&[]);
    function.api.polled().await;
    let invocation = function.api.send(get("/"));
    function.process.signal(Signal::TERM);
    assert_eq!(content(&invocation.answer().await), (200, "ok".into()));
    assert_eq!(function.exit(SOON), Some(0));
}

#[tokio::test]
async fn a_stop_that_hangs_is_given_up() {
    let function = Function::faulty(&[("STOP_TAKES", "1h")]);
    function.api.polled().await;
    function.process.signal(Signal::TERM);
    assert_eq!(function.exit(SOON), Some(0));
    assert!(last_words(&function.process)[0].contains("given up"));
}

#[tokio::test]
async fn a_second_signal_ends_a_request_that_hangs() {
    let function = Function::faulty(&[]);
    let _invocation = function.api.send(get("/wait?3600000"));
    function.process.wait_for_line(&["waiting"]);
    function.process.signal(Signal::TERM);
    assert!(function.process.exit_within(Duration::from_millis(300)).is_none());
    function.process.signal(Signal::TERM);
    assert_eq!(function.exit(SOON), Some(75));
}

#[tokio::test]
async fn sigterm_during_the_start_ends_it() {
    let function = Function::faulty(&[("START_TAKES", "1h")]);
    function.api.requested(anyhost_tests::runtime_api::Endpoint::Register, 1).await;
    function.process.signal(Signal::TERM);
    assert_eq!(function.exit(SOON), Some(0));
}
