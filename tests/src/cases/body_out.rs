//! Responses: status, headers and bytes as the App gave them, whatever their type says.

use std::time::Duration;

use crate::cases::{ask, cases, still_answers};
use crate::doors::Door;
use crate::wire::{Ending, get};

/// Checks the shape's media type and bytes, and that the door added no header.
#[track_caller]
fn leaves(door: &dyn Door, shape: &str, kind: Option<&str>, body: &[u8]) {
    let response = ask(door, &get(&format!("/r/{shape}"))).expect(200);
    assert_eq!(response.all("content-type"), kind.into_iter().collect::<Vec<_>>());
    assert_eq!(String::from_utf8_lossy(&response.body), String::from_utf8_lossy(body));
    assert_eq!(response.body, body);
    for length in response.all("content-length") {
        assert_eq!(length, body.len().to_string());
    }
}

cases! { "body_out";

fn a_length_that_is_not_the_bodys_cuts_it_everywhere(door) {
    let response = ask(door, &get("/r/hdr-short")).expect(200);
    assert_eq!(response.body, b"thre");
}

fn a_205_has_no_content(door) {
    let response = ask(door, &get("/r/205")).expect(205);
    assert!(response.body.is_empty() && response.all("content-type").is_empty(), "{response:?}");
}

fn text_leaves_as_it_is(door) { leaves(door, "text", Some("text/plain; charset=utf-8"), "h\u{e9}llo".as_bytes()) }
fn json_leaves_as_it_is(door) { leaves(door, "json", Some("application/json"), b"{\"ok\":true}") }
fn a_type_in_capitals_leaves_as_it_is(door) { leaves(door, "json-upper", Some("Application/JSON"), b"{\"ok\":true}") }
fn an_empty_body_keeps_its_type(door) { leaves(door, "empty-ct-json", Some("application/json"), b"") }
fn ndjson_leaves_as_it_is(door) { leaves(door, "ndjson", Some("application/x-ndjson"), b"{\"n\":1}\n{\"n\":2}\n") }
fn svg_leaves_as_it_is(door) { leaves(door, "svg", Some("image/svg+xml"), b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>") }
fn a_form_leaves_as_it_is(door) { leaves(door, "form", Some("application/x-www-form-urlencoded"), b"a=1&b=two+words") }
fn yaml_leaves_as_it_is(door) { leaves(door, "yaml", Some("application/yaml"), b"a: 1\n") }
fn wasm_leaves_as_it_is(door) { leaves(door, "wasm", Some("application/wasm"), b"\0asm\x01\0\0\0") }
fn bytes_leave_as_they_are(door) { leaves(door, "bin", Some("image/png"), b"\x89P\xff\0") }
fn bytes_without_a_type_get_none(door) { leaves(door, "bin-noct", None, b"\x89P\xff\0") }
fn text_without_a_type_gets_none(door) { leaves(door, "utf8-noct", None, b"plain") }
fn latin_1_is_not_transcoded(door) { leaves(door, "latin1", Some("text/plain; charset=iso-8859-1"), b"caf\xe9") }
fn utf_16_is_not_transcoded(door) { leaves(door, "charset-utf16", Some("text/plain; charset=utf-16"), b"\xfe\xff\0a") }
fn text_that_is_none_leaves_as_it_is(door) { leaves(door, "text-with-nul", Some("text/plain"), b"a\xffb") }
fn the_apps_own_length_is_kept_true(door) { leaves(door, "hdr-num", None, b"ok") }

fn the_apps_own_problem_is_not_touched(door) {
    leaves(door, "problem", Some("application/problem+json"), br#"{"type":"about:blank","title":"Sold out"}"#)
}

fn an_encoded_body_leaves_as_it_is(door) {
    leaves(door, "gzip", Some("text/html"), b"\x1f\x8b\x08\xff");
    assert_eq!(ask(door, &get("/r/gzip")).one("content-encoding"), "gzip");
}

fn a_client_that_takes_gzip_gets_what_the_app_gave(door) {
    let response = ask(door, &get("/r/text").header("Accept-Encoding", "gzip, br, zstd")).expect(200);
    assert!(response.all("content-encoding").is_empty());
    assert_eq!(response.body, "h\u{e9}llo".as_bytes());
}

fn a_204_has_no_body_no_type_and_no_length(door) {
    let response = ask(door, &get("/r/204")).expect(204);
    assert!(response.body.is_empty());
    for name in ["content-type", "content-length", "transfer-encoding"] {
        assert!(response.all(name).is_empty(), "{name}, in {response:?}");
    }
}

fn a_304_keeps_its_tag_and_has_no_body(door) {
    let response = ask(door, &get("/r/304")).expect(304);
    assert_eq!(response.one("etag"), "\"x\"");
    assert!(response.body.is_empty());
    for name in ["content-type", "content-length", "transfer-encoding"] {
        assert!(response.all(name).is_empty(), "{name}, in {response:?}");
    }
}

fn a_redirect_keeps_its_location(door) {
    assert_eq!(ask(door, &get("/r/redirect")).expect(302).one("location"), "/x?y=1");
}

fn a_length_that_is_not_the_bodys_is_not_sent(door) {
    let response = ask(door, &get("/r/head")).expect(200);
    assert!(response.body.is_empty());
    assert!(response.all("content-length").iter().all(|length| length == "0"), "{response:?}");
}

fn all_values_of_repeated_headers_leave(door) {
    let response = ask(door, &get("/r/duphdr")).expect(200);
    assert_eq!(response.listed("x-dup"), ["1", "2"]);
    assert_eq!(response.listed("vary"), ["origin", "accept"]);
}

fn repeated_headers_leave_as_lines_of_their_own(door) [AnswerLines] {
    let response = ask(door, &get("/r/duphdr")).expect(200);
    assert_eq!(response.all("x-dup"), ["1", "2"]);
    assert_eq!(response.all("vary"), ["origin", "accept"]);
}

fn a_header_in_utf_8_leaves_as_it_is(door) {
    assert_eq!(ask(door, &get("/r/utf8only")).expect(200).bytes_of("x-u"), ["caf\u{e9}".as_bytes()]);
}

fn a_header_in_latin_1_leaves_as_it_is(door) [AnswerBytes] {
    assert_eq!(ask(door, &get("/r/l1only")).expect(200).bytes_of("x-l"), [b"caf\xe9"]);
    assert_eq!(
        ask(door, &get("/r/utf8hdr")).expect(200).bytes_of("x-l1"), [b"caf\xe9"]
    );
}

fn a_header_in_latin_1_breaks_nothing(door) {
    let response = ask(door, &get("/r/l1only")).expect(200);
    assert!(response.one("x-l").starts_with("caf"));
    let response = ask(door, &get("/r/utf8hdr")).expect(200);
    assert_eq!(response.bytes_of("x-name"), ["caf\u{e9}".as_bytes()]);
    assert!(response.one("x-l1").starts_with("caf"));
    still_answers(door);
}

fn no_header_is_made_up_but_the_requests_name(door) {
    let response = ask(door, &get("/r/utf8-noct")).expect(200);
    let framing = ["date", "content-length", "connection", "transfer-encoding", "x-request-id"];
    let made_up: Vec<_> =
        response.headers.iter().filter(|(name, _)| !framing.contains(&name.to_ascii_lowercase().as_str())).collect();
    assert!(made_up.is_empty(), "{made_up:?}");
}

fn a_slow_answer_arrives(door) { leaves(door, "slow", None, b"slow") }

fn a_stream_arrives_whole(door) {
    leaves(door, "sse", Some("text/event-stream"), b"data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n");
}

fn a_stream_leaves_as_it_is_made(door) [Streams] {
    // Its five pieces are made 200 ms apart. On a busy machine the first may arrive late, and not each time.
    let streamed = (0..50).any(|_| {
        ask(door, &get("/r/sse")).expect(200).spread > Duration::from_millis(400)
    });
    assert!(streamed, "all pieces arrive together, each time");
}

fn a_body_before_trailers_arrives_whole(door) {
    let response = ask(door, &get("/r/trailers")).expect(200);
    assert_eq!(response.body, b"data");
}

fn trailers_are_not_announced_where_none_can_follow(door) {
    for request in [get("/r/trailers"), get("/r/trailers").header("TE", "trailers")] {
        let response = ask(door, &request).expect(200);
        assert!(!response.trailers.is_empty() || response.all("trailer").is_empty(), "{response:?}");
    }
}

fn trailers_follow_the_body(door) [Trailers] {
    let response = ask(door, &get("/r/trailers").header("TE", "trailers")).expect(200);
    assert_eq!(response.trailers, [("x-t".to_owned(), b"1".to_vec())]);
}

fn seven_mebibytes_leave_whole(door) [LargeAnswers] {
    let response = ask(door, &get("/r/big7mb")).expect(200);
    assert!(response.body.len() == 7 << 20 && response.body.iter().all(|byte| *byte == b'a'));
}

fn five_mebibytes_of_bytes_leave_whole(door) [LargeAnswers] {
    let response = ask(door, &get("/r/bin5mb")).expect(200);
    assert!(response.body.len() == 5 << 20 && response.body.iter().all(|byte| *byte == 0xff));
}

fn an_answer_over_the_platforms_limit_is_a_clean_500(door) [AnswerLimit] {
    for shape in ["/r/big7mb", "/r/bin5mb"] {
        let response = ask(door, &get(shape));
        assert_eq!(response.ending, Ending::Whole);
        response.problem(500);
        still_answers(door);
    }
}

}
