//! Request headers: names, values and order arrive as sent, and none is added.

use crate::cases::{ask, cases, seen, still_answers};
use crate::wire::EchoAnswer as _;
use crate::wire::{get, post};

cases! { "headers";

fn a_header_arrives_once_with_its_value(door) {
    assert_eq!(seen(door, &get("/h").header("X-One", "value")).one("x-one"), "value");
}

fn names_are_seen_in_small_letters(door) {
    let seen = seen(door, &get("/h").header("X-LOUD", "1").header("x-soft", "2"));
    assert_eq!((seen.one("x-loud"), seen.one("x-soft")), ("1", "2"));
    assert!(seen.headers.iter().all(|(name, _)| *name == name.to_ascii_lowercase()));
}

fn repeated_headers_keep_their_order(door) [HeaderLines] {
    let request = get("/h").header("X-R", "1").header("X-Other", "x").header("X-R", "2").header("X-R", "3");
    assert_eq!(seen(door, &request).all("x-r"), ["1", "2", "3"]);
}

fn all_values_of_repeated_headers_arrive(door) [HeaderValues] {
    let request = get("/h").header("X-R", "1").header("X-R", "2").header("X-R", "3");
    assert_eq!(seen(door, &request).listed("x-r"), ["1", "2", "3"]);
}

fn the_same_value_twice_is_twice(door) [HeaderValues] {
    assert_eq!(seen(door, &get("/h").header("X-R", "1").header("X-R", "1")).listed("x-r"), ["1", "1"]);
}

fn names_that_differ_only_in_case_are_one_header(door) [HeaderValues] {
    assert_eq!(seen(door, &get("/h").header("X-Case", "1").header("x-case", "2")).listed("x-case"), ["1", "2"]);
}

fn an_empty_value_arrives_empty(door) {
    assert_eq!(seen(door, &get("/h").header("X-Empty", "")).one("x-empty"), "");
}

fn commas_in_a_value_stay(door) {
    assert_eq!(seen(door, &get("/h").header("X-List", "a, b,c")).one("x-list"), "a, b,c");
}

fn spaces_inside_a_value_stay(door) {
    assert_eq!(seen(door, &get("/h").header("X-S", "a  b\tc")).one("x-s"), "a  b\tc");
}

fn quotes_backslashes_and_braces_stay(door) {
    let value = r#"{"a":"\\b\"c"}"#;
    assert_eq!(seen(door, &get("/h").header("X-Q", value)).one("x-q"), value);
}

fn percent_signs_and_plus_signs_stay(door) {
    assert_eq!(seen(door, &get("/h").header("X-P", "a%20b+c%zz")).one("x-p"), "a%20b+c%zz");
}

fn utf_8_in_a_value_arrives(door) {
    assert_eq!(seen(door, &get("/h").header("X-U", "caf\u{e9} \u{20ac} \u{1f600}")).one("x-u"), "caf\u{e9} \u{20ac} \u{1f600}");
}

fn latin_1_in_a_value_arrives(door) {
    assert_eq!(seen(door, &get("/h").header("X-L", b"caf\xe9")).one("x-l"), "caf\u{e9}");
}

fn a_value_of_6000_bytes_arrives(door) {
    let value = "v".repeat(6000);
    assert_eq!(seen(door, &get("/h").header("X-Long", &value)).one("x-long"), value);
}

fn sixty_headers_arrive(door) {
    let request = (0..60).fold(get("/h"), |request, n| request.header(&format!("X-N{n}"), n.to_string()));
    let seen = seen(door, &request);
    for n in 0..60 {
        assert_eq!(seen.one(&format!("x-n{n}")), n.to_string());
    }
}

fn every_character_of_a_name_is_allowed(door) {
    let name = "x!#$%&'*+-.^_`|~9";
    assert_eq!(seen(door, &get("/h").header(name, "1")).one(name), "1");
}

fn authorization_arrives(door) {
    let value = "Basic dXNlcjpwYXNz";
    assert_eq!(seen(door, &get("/h").header("Authorization", value)).one("authorization"), value);
}

fn the_user_agent_arrives_once(door) {
    assert_eq!(seen(door, &get("/h").header("User-Agent", "probe/1.0 (x)")).one("user-agent"), "probe/1.0 (x)");
}

fn conditional_headers_are_the_apps_business(door) {
    let request = get("/h")
        .header("If-None-Match", "\"x\", W/\"y\"")
        .header("If-Modified-Since", "Wed, 21 Oct 2026 07:28:00 GMT")
        .header("Range", "bytes=0-1");
    let seen = seen(door, &request);
    assert_eq!(seen.one("if-none-match"), "\"x\", W/\"y\"");
    assert_eq!(seen.one("if-modified-since"), "Wed, 21 Oct 2026 07:28:00 GMT");
    assert_eq!(seen.one("range"), "bytes=0-1");
}

fn the_content_type_keeps_its_parameters(door) {
    let kind = "multipart/form-data; boundary=\"--a;b\"";
    assert_eq!(seen(door, &post("/h", "x").header("Content-Type", kind)).one("content-type"), kind);
}

fn a_content_length_is_the_bodys(door) {
    let seen = seen(door, &post("/h", "h\u{e9}llo").header("Content-Type", "text/plain"));
    assert_eq!(seen.one("content-length"), "6");
}

fn a_length_that_is_said_twice_never_reaches_the_app(door) {
    // RFC 9110 §8.6: refused, or taken once by a front end that has counted the bytes itself.
    let request = post("/h", "body").header("Content-Length", "4").header("Content-Length", "4");
    let response = ask(door, &request);
    match door.facts().adds {
        [] => assert_eq!(response.status, 400, "{response:?}"),
        _ => assert_eq!(response.seen().all("content-length"), ["4"]),
    }
    still_answers(door);
}

fn headers_of_the_connection_are_not_seen(door) [HopHeaders] {
    let request = get("/h")
        .header("Connection", "close, HTTP2-Settings")
        .header("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")
        .header("Keep-Alive", "timeout=5")
        .header("TE", "trailers")
        .header("X-Kept", "1");
    let seen = seen(door, &request);
    for name in ["connection", "http2-settings", "keep-alive", "te"] {
        assert!(seen.all(name).is_empty(), "{name}, in {:?}", seen.headers);
    }
    assert_eq!(seen.one("x-kept"), "1");
}

fn naming_a_header_in_connection_does_not_hide_it(door) [HopHeaders] {
    // RFC 9110 §7.6.1 has intermediaries remove such headers. The App would lose what a proxy has added that passes Connection on.
    let request = post("/h", "body")
        .header("Cookie", "a=1")
        .header("Authorization", "Bearer a")
        .header("X-User-Id", "7")
        .header("Connection", "close, Host, Content-Length, Cookie, Authorization, X-User-Id");
    let seen = seen(door, &request);
    assert_eq!((seen.one("host"), seen.one("content-length"), seen.one("cookie")), (door.facts().host, "4", "a=1"));
    assert_eq!((seen.one("authorization"), seen.one("x-user-id")), ("Bearer a", "7"));
}

fn the_transfer_coding_is_not_seen(door) {
    let seen = seen(door, &post("/h", "body").chunked());
    assert!(seen.all("transfer-encoding").is_empty(), "{:?}", seen.headers);
    assert_eq!(seen.body, b"body");
}

fn nothing_is_made_up(door) {
    let seen = seen(door, &get("/h").header("X-Sent", "1").header("Accept", "*/*"));
    let adds = door.facts().adds;
    let made_up: Vec<_> = seen
        .headers
        .iter()
        .filter(|(name, _)| !["x-sent", "accept", "host"].contains(&name.as_str()) && !adds.contains(&name.as_str()))
        .collect();
    assert!(made_up.is_empty(), "{made_up:?}");
}

fn what_a_front_end_adds_is_seen(door) [FrontEnd] {
    let seen = seen(door, &get("/h"));
    assert_eq!(seen.one("x-forwarded-for"), door.facts().client_ip.unwrap());
    assert_eq!(seen.one("x-forwarded-proto"), door.facts().scheme);
}

fn the_host_is_seen_once(door) {
    assert_eq!(seen(door, &get("/h")).one("host"), door.facts().host);
}

}
