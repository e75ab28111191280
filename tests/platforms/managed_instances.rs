//! On AWS's emulator as Lambda's managed instances run a function: many invocations in one process.

use std::time::Instant;

use anyhost_tests::doors::send;
use anyhost_tests::wire::post;

use crate::emulator::{Emulator, INVOCATIONS};
use crate::events::{Answer, get};

#[test]
fn three_invocations_run_in_one_process_at_once() {
    let emulator = Emulator::start_managed(
        "echo-lambda",
        &[("AWS_LAMBDA_MAX_CONCURRENCY", "4"), ("AWS_LAMBDA_FUNCTION_TIMEOUT", "10")],
    );
    Answer::new(&emulator.invoke(&get("/warm"))).seen();
    let function = emulator.function();
    // Each takes a second. On a busy machine that shows in some rounds alone.
    let quicker = (0..10).any(|_| {
        let begun = Instant::now();
        let at_once = all_answer(&emulator, 3);
        let at_once = at_once.duration_since(begun);
        let begun = Instant::now();
        all_answer(&emulator, 1);
        let in_a_row = all_answer(&emulator, 1).duration_since(begun);
        at_once < in_a_row
    });
    assert!(quicker, "three at once never took less than two in a row");
    assert_eq!(emulator.function(), function);
}

/// Sends this many requests at once, and returns when the last answer arrived.
fn all_answer(emulator: &Emulator, requests: usize) -> Instant {
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ask = || send(emulator.address(), &post(INVOCATIONS, get("/r/sse").to_string()));
        let asking: Vec<_> = (0..requests).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
    });
    let answered = Instant::now();
    for answer in answers {
        assert_eq!(Answer::new(&answer).text().matches("data:").count(), 5);
    }
    answered
}
