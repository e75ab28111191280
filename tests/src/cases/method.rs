//! Methods.

use crate::cases::{ask, cases, seen};
use crate::wire::{head, request};

cases! { "method";

fn every_standard_method_reaches_the_app(door) {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        assert_eq!(seen(door, &request(method, "/m")).method, method);
    }
}

fn a_method_of_its_own_reaches_the_app(door) [AnyMethod] {
    for method in ["PURGE", "PROPFIND", "x-made.up"] {
        assert_eq!(seen(door, &request(method, "/m")).method, method);
    }
}

fn methods_are_case_sensitive(door) [AnyMethod] {
    assert_eq!(seen(door, &request("get", "/m")).method, "get");
}

fn a_head_is_answered_without_a_body(door) {
    let response = ask(door, &head("/r/text")).expect(200);
    assert!(response.body.is_empty(), "{response:?}");
    assert_eq!(response.one("content-type"), "text/plain; charset=utf-8");
}

fn a_head_says_the_length_a_get_would_have(door) {
    assert_eq!(ask(door, &head("/r/text")).one("content-length"), "6");
    assert_eq!(ask(door, &head("/r/bin")).one("content-length"), "4");
}

fn a_head_keeps_the_length_the_app_gives(door) {
    let response = ask(door, &head("/r/head")).expect(200);
    assert_eq!(response.one("content-length"), "1234");
    assert!(response.body.is_empty());
}

fn a_head_of_what_is_missing_is_404_without_a_body(door) {
    let response = ask(door, &head("/r/missing")).expect(404);
    assert!(response.body.is_empty(), "{response:?}");
}

fn options_is_the_apps_business(door) {
    let preflight = request("OPTIONS", "/cors")
        .header("Origin", "https://other.example")
        .header("Access-Control-Request-Method", "PUT");
    let seen = seen(door, &preflight);
    assert_eq!((seen.method.as_str(), seen.one("origin")), ("OPTIONS", "https://other.example"));
}

}
