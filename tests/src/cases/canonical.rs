//! The canonical request: it combines everything that adapters are known to lose.

use crate::cases::{cases, seen};
use crate::wire::{Request, pairs, post};

const QUERY: &str =
    "size=s&size=m&back=https%3A%2F%2Fexample.com%2Fa%2Fb&sum=a+b&sign=a%2Bb&blank=";
const BODY: &str = r#"{"glass":"λ"}"#;

fn canonical() -> Request {
    post(&format!("/shelf/tall%20glass?{QUERY}"), BODY)
        .header("Content-Type", "application/json")
        .header("X-Note", "first")
        .header("X-Note", "second")
        .header("Cookie", "sid=1; mode=dark")
}

cases! { "canonical";

fn the_canonical_request_keeps_path_cookies_body_and_context(door) {
    let seen = seen(door, &canonical());
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.path, "/shelf/tall%20glass");
    assert_eq!(seen.one("cookie"), "sid=1; mode=dark");
    assert_eq!(seen.one("content-type"), "application/json");
    assert_eq!(seen.body, BODY.as_bytes());
    assert_eq!(seen.client_ip.as_deref(), door.facts().client_ip);
    assert_eq!(seen.scheme, door.facts().scheme);
}

fn the_canonical_query_means_the_same(door) [QueryRepeats] {
    assert_eq!(seen(door, &canonical()).pairs(), pairs(QUERY));
}

fn the_canonical_query_means_the_same_but_for_lost_repeats(door) {
    let mut expected = pairs(QUERY);
    let mut pairs = seen(door, &canonical()).pairs();
    // Holds for a door that keeps one `size` and for a door that keeps both.
    for list in [&mut expected, &mut pairs] {
        list.retain(|(name, value)| (name.as_str(), value.as_str()) != ("size", "s"));
    }
    assert_eq!(pairs, expected);
}

fn the_canonical_query_arrives_byte_for_byte(door) [QueryEscapes, QueryRepeats] {
    assert_eq!(seen(door, &canonical()).query.as_deref(), Some(QUERY));
}

fn the_canonical_notes_arrive_in_order(door) [HeaderValues] {
    assert_eq!(seen(door, &canonical()).listed("x-note"), ["first", "second"]);
}

fn the_canonical_notes_arrive_as_two_headers(door) [HeaderLines] {
    assert_eq!(seen(door, &canonical()).all("x-note"), ["first", "second"]);
}

fn of_the_canonical_notes_the_last_one_arrives(door) {
    assert_eq!(seen(door, &canonical()).listed("x-note").last(), Some(&"second"));
}

}
