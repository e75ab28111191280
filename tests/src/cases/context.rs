//! The `Context` that the host passes with a request.

use crate::cases::{ask, cases, seen};
use crate::wire::{SeenRequest, get};

cases! { "context";

fn the_client_has_an_address(door) [ClientAddress] {
    assert_eq!(seen(door, &get("/x")).client_ip.as_deref(), door.facts().client_ip);
}

fn the_scheme_is_the_clients(door) {
    assert_eq!(seen(door, &get("/x")).scheme, door.facts().scheme);
}

fn the_host_is_the_one_the_client_asked_for(door) {
    assert_eq!(seen(door, &get("/x")).host.as_deref(), Some(door.facts().host));
}

fn every_request_has_an_id_of_its_own(door) {
    let (first, second) = (seen(door, &get("/x")), seen(door, &get("/x")));
    assert!(!first.request_id.is_empty());
    assert_ne!(first.request_id, second.request_id);
}

fn a_response_names_its_request(door) {
    let response = ask(door, &get("/x"));
    assert_eq!(response.all("x-request-id"), [SeenRequest::parse(&response.body).request_id]);
}

fn a_problem_names_its_request_twice(door) {
    let response = ask(door, &get("/r/missing"));
    let named = response.all("x-request-id");
    assert_eq!(named.len(), 1, "{response:?}");
    assert_eq!(response.problem(404)["request_id"], named[0].as_str());
}

fn a_trace_that_the_client_began_goes_on(door) {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let continued = seen(door, &get("/x").header("traceparent", parent)).trace_parent;
    assert_eq!(continued, parent);
    for wrong in ["00-00000000000000000000000000000000-00f067aa0ba902b7-01", "nonsense"] {
        let begun = seen(door, &get("/x").header("traceparent", wrong)).trace_parent;
        assert_ne!(begun, wrong);
        assert_eq!(begun.len(), parent.len(), "{begun}");
    }
}

fn of_two_traces_neither_goes_on(door) [HeaderValues] {
    // W3C Trace Context, its tests: which of them is the caller's is unknown.
    let parents = ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-01"];
    let request = get("/x").header("traceparent", parents[0]).header("traceparent", parents[1]);
    let begun = seen(door, &request).trace_parent;
    assert!(parents.iter().all(|parent| begun[..35] != parent[..35]), "{begun}");
}

fn a_forged_forwarding_header_is_not_believed(door) {
    let request = get("/x")
        .header("X-Forwarded-For", "198.51.100.66")
        .header("X-Forwarded-Proto", "gopher")
        .header("Forwarded", "for=198.51.100.66;proto=gopher;host=evil.example")
        .header("X-Real-IP", "198.51.100.66")
        .header("Fly-Client-IP", "198.51.100.66")
        .header("CF-Connecting-IP", "198.51.100.66")
        .header("X-Forwarded-Host", "evil.example");
    let seen = seen(door, &request);
    let facts = door.facts();
    assert_eq!(seen.client_ip.as_deref(), facts.client_ip);
    assert_eq!(seen.scheme, facts.scheme);
    assert_eq!(seen.host.as_deref(), Some(facts.host));
}

}
