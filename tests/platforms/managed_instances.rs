//! On AWS's emulator as Lambda's managed instances run a function: many invocations in one process.

use std::time::{Duration, Instant};

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
    Answer::of(&emulator.invoke(&get("/warm"))).seen();
    let function = emulator.function();
    let asked = Instant::now();
    // Each takes a second, which in a row would be three.
    let answers = std::thread::scope(|scope| {
        let ask = || send(emulator.address(), &post(INVOCATIONS, get("/r/sse").to_string()));
        let asking = [(); 3].map(|()| scope.spawn(ask));
        asking.map(|thread| thread.join().unwrap().unwrap())
    });
    let taken = asked.elapsed();
    for answer in answers {
        assert_eq!(Answer::of(&answer).text().matches("data:").count(), 5);
    }
    assert!(taken < Duration::from_millis(1_900), "three at once took {taken:?}");
    assert_eq!(emulator.function(), function);
}
