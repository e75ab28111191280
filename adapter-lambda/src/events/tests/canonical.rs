//! One request from every source: the results differ only where AWS makes them differ.

use anyhost_core::Scheme;

use super::RequestSummary;
use crate::answers::Shape;

/// Checks the parts of the canonical request that are the same from every source.
#[track_caller]
fn check_canonical(event: &'static str, shape: &Shape, notes: &[&str]) -> RequestSummary {
    let seen = RequestSummary::from_event(event);
    assert_eq!(seen.shape, shape);
    assert_eq!(seen.method, "POST");
    assert!(seen.target.starts_with("/shelf/tall%20glass?"), "{}", seen.target);
    assert_eq!(seen.all("x-note"), notes);
    assert_eq!(seen.all("cookie"), ["sid=1; mode=dark"]);
    assert_eq!(seen.all("content-length"), ["13"]);
    assert_eq!(seen.body, "{\"name\":\"λ\"}");
    assert_eq!(seen.context.client_ip().map(|ip| ip.to_string()).as_deref(), Some("203.0.113.7"));
    assert_eq!(seen.context.event(), Some(event));
    seen
}

const QUERY: &str =
    "size=s&size=m&back=https%3A%2F%2Fexample.com%2Fa%2Fb&sum=a+b&sign=a%2Bb&blank=";

/// The same query from a source that has decoded it.
const AGAIN: &str =
    "size=s&size=m&back=https%3A%2F%2Fexample.com%2Fa%2Fb&sum=a%20b&sign=a%2Bb&blank=";

#[test]
fn canonical_rest() {
    let seen = check_canonical(fixture!("canonical-rest"), &Shape::REST, &["first", "second"]);
    assert_eq!(seen.target, format!("/shelf/tall%20glass?{AGAIN}"));
    assert_eq!(seen.context.scheme(), Scheme::Https);
    assert_eq!(seen.context.mount(), "/live");
    let host = "1a2b3c4d5e.execute-api.eu-central-1.amazonaws.com";
    assert_eq!(seen.context.host(), Some(host));
}

#[test]
fn canonical_http_api_with_payload_1() {
    let seen = check_canonical(fixture!("canonical-http-1"), &Shape::HTTP_1, &["first", "second"]);
    assert_eq!(seen.target, format!("/shelf/tall%20glass?{AGAIN}"));
    assert_eq!(seen.context.mount(), "/live");
}

#[test]
fn canonical_http_api_with_payload_2() {
    let seen = check_canonical(fixture!("canonical-http-2"), &Shape::HTTP_2, &["first,second"]);
    assert_eq!(seen.target, format!("/shelf/tall%20glass?{QUERY}"));
    assert_eq!(seen.context.scheme(), Scheme::Https);
    assert_eq!(seen.context.mount(), "/live");
}

#[test]
fn canonical_function_url() {
    let event = fixture!("canonical-function-url");
    let seen = check_canonical(event, &Shape::FUNCTION_URL, &["first,second"]);
    assert_eq!(seen.target, format!("/shelf/tall%20glass?{QUERY}"));
    assert_eq!(seen.context.mount(), "");
}

#[test]
fn canonical_alb_multi() {
    let event = fixture!("canonical-alb-multi");
    let seen = check_canonical(event, &Shape::ALB_MULTI, &["first", "second"]);
    assert_eq!(seen.target, format!("/shelf/tall%20glass?{QUERY}"));
    assert_eq!(seen.context.scheme(), Scheme::Http);
}

#[test]
fn canonical_alb_single() {
    let seen = check_canonical(fixture!("canonical-alb-single"), &Shape::ALB_SINGLE, &["second"]);
    assert_eq!(seen.target, format!("/shelf/tall%20glass?{}", &QUERY["size=s&".len()..]));
}

#[test]
fn canonical_lattice() {
    let notes = ["first", "second"];
    let seen = check_canonical(fixture!("canonical-lattice"), &Shape::LATTICE, &notes);
    assert_eq!(seen.target, format!("/shelf/tall%20glass?{AGAIN}"));
    assert_eq!(seen.context.scheme(), Scheme::Https);
    let seen = check_canonical(fixture!("canonical-lattice-full-path"), &Shape::LATTICE, &notes);
    assert_eq!(seen.target, format!("/shelf/tall%20glass?{QUERY}"));
}
