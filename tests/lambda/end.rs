//! The end: SIGTERM, and what is finished before the process goes.

use anyhost_tests::process::{PATIENCE, Signal};
use anyhost_tests::wait::eventually;

use crate::function::{Function, content, get, last_words};

#[tokio::test]
async fn sigterm_between_invocations_ends_the_process() {
    let function = Function::faulty(&[]);
    function.api.polled().await;
    assert_eq!(function.api.extensions(), ["anyhost"], "SIGTERM comes only with an extension");
    function.process.signal(Signal::TERM);
    assert_eq!(function.exit(PATIENCE), Some(0));
    assert_eq!(last_words(&function.process), ["stopped"]);
}

#[tokio::test]
async fn sigterm_mid_invocation_lets_it_answer_first() {
    let function = Function::faulty(&[]);
    let invocation = function.api.send(get("/gated"));
    function.process.wait_for_line(&["at the gate"]);
    function.process.signal(Signal::TERM);
    function.open_gate();
    assert_eq!(content(&invocation.answer().await), (200, "passed".into()));
    assert_eq!(function.exit(PATIENCE), Some(0));
    assert_eq!(last_words(&function.process), ["at the gate", "stopped"]);
}

#[tokio::test]
async fn an_event_that_arrives_with_sigterm_is_answered() {
    let function = Function::faulty(&[]);
    function.api.polled().await;
    let invocation = function.api.send(get("/"));
    function.process.signal(Signal::TERM);
    assert_eq!(content(&invocation.answer().await), (200, "ok".into()));
    assert_eq!(function.exit(PATIENCE), Some(0));
}

#[tokio::test]
async fn a_stop_that_hangs_is_given_up() {
    let function = Function::faulty(&[("STOP_TAKES", "1h")]);
    function.api.polled().await;
    function.process.signal(Signal::TERM);
    assert_eq!(function.exit(PATIENCE), Some(0));
    assert!(last_words(&function.process)[0].contains("given up"));
}

#[tokio::test]
async fn only_a_second_interrupt_ends_a_request_that_hangs() {
    for others in [&[Signal::TERM][..], &[Signal::TERM, Signal::TERM]] {
        let function = Function::faulty(&[]);
        // The request has no deadline.
        function.api.set_timeout(None);
        let _invocation = function.api.send(get("/wait?3600000"));
        function.process.wait_for_line(&["waiting"]);
        function.process.signal(Signal::INT);
        for (earlier, other) in others.iter().enumerate() {
            function.process.signal(*other);
            eventually("the signal is heard", || {
                let heard = function.process.log().text().matches("stopping already").count();
                (heard > earlier).then_some(())
            });
        }
        function.process.signal(Signal::INT);
        assert_eq!(function.exit(PATIENCE), Some(75), "{others:?}");
    }
}

#[tokio::test]
async fn sigterm_during_the_start_ends_it() {
    let function = Function::faulty(&[("START_TAKES", "1h")]);
    function.api.requested(anyhost_tests::runtime_api::Endpoint::Register, 1).await;
    function.process.signal(Signal::TERM);
    assert_eq!(function.exit(PATIENCE), Some(0));
}
