//! Errors: a problem for the client, the cause for the log, and the next request served.

use crate::cases::{ask, cases, still_answers};
use crate::wire::{Ending, get, head};

cases! { "errors";

fn a_panic_is_a_500_problem_and_the_process_lives(door) {
    let problem = ask(door, &get("/r/panic")).problem(500);
    assert_eq!(problem["title"], "Internal Server Error");
    still_answers(door);
}

fn a_status_that_means_nothing_to_anybody_is_a_500_problem(door) {
    ask(door, &get("/r/600")).problem(500);
}

fn a_panic_tells_the_client_nothing(door) {
    let problem = ask(door, &get("/r/panic")).problem(500).to_string();
    assert!(!problem.contains("panic"), "{problem}");
}

fn panics_one_after_the_other_change_nothing(door) {
    for _ in 0..5 {
        ask(door, &get("/r/panic")).problem(500);
    }
    still_answers(door);
}

fn an_error_of_the_app_is_a_problem_with_its_detail(door) {
    let problem = ask(door, &get("/r/no-such-shape")).problem(404);
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["title"], "Not Found");
    assert!(problem["detail"].is_string(), "{problem}");
}

fn an_error_has_the_length_of_its_body(door) {
    let response = ask(door, &get("/r/no-such-shape")).expect(404);
    for length in response.all("content-length") {
        assert_eq!(length, response.body.len().to_string());
    }
}

fn every_problem_names_another_request(door) {
    let id = || ask(door, &get("/r/missing")).problem(404)["request_id"].clone();
    assert_ne!(id(), id());
}

fn a_panic_on_head_has_no_body(door) {
    let response = ask(door, &head("/r/panic")).expect(500);
    assert!(response.body.is_empty());
    still_answers(door);
}

fn a_status_that_is_not_final_is_a_500(door) {
    ask(door, &get("/r/101")).problem(500);
    still_answers(door);
}

fn a_body_that_fails_breaks_off_visibly(door) [Streams] {
    let response = ask(door, &get("/r/err"));
    assert_eq!((response.status, response.ending), (200, Ending::BrokenOff), "{response:?}");
    assert!(b"part".starts_with(&response.body), "{response:?}");
    still_answers(door);
}

fn a_body_that_fails_before_it_is_sent_is_a_500(door) [Buffers] {
    ask(door, &get("/r/err")).problem(500);
    still_answers(door);
}

}
