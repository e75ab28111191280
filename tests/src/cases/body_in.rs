//! Request bodies: byte for byte, whatever their type says, up to the limit.

use crate::cases::{ask, cases, seen, still_answers};
use crate::doors::{Door, MAX_BODY};
use crate::wire::{delete, get, patch, post, put};

#[track_caller]
fn arrives(door: &dyn Door, kind: &str, body: impl AsRef<[u8]>) {
    let body = body.as_ref();
    let seen = seen(door, &post("/b", body).header("Content-Type", kind));
    assert_eq!(String::from_utf8_lossy(&seen.body), String::from_utf8_lossy(body));
    assert_eq!(seen.body, body);
    assert_eq!(seen.one("content-type"), kind);
}

fn every_byte() -> Vec<u8> {
    (0..=255).chain((0..=255).rev()).collect()
}

cases! { "body_in";

fn no_body_is_an_empty_body(door) {
    assert!(seen(door, &get("/b")).body.is_empty());
}

fn an_empty_body_is_empty(door) {
    assert!(seen(door, &post("/b", "").header("Content-Type", "application/json")).body.is_empty());
}

fn json_arrives_byte_for_byte(door) { arrives(door, "application/json", "{ \"a\" : 1.0e3,\n\"b\":\"\\u00e9\" }") }
fn utf_8_arrives_byte_for_byte(door) { arrives(door, "text/plain; charset=utf-8", "h\u{e9}llo \u{3bb} \u{1f600}") }
fn every_byte_arrives(door) { arrives(door, "application/octet-stream", every_byte()) }
fn a_byte_order_mark_stays(door) { arrives(door, "application/json", "\u{feff}{}") }
fn control_characters_stay(door) { arrives(door, "text/plain", "a\0b\u{1}c\u{1f}d\u{7f}e\u{2028}f") }
fn line_ends_stay(door) { arrives(door, "text/csv", "a,b\r\n1,2\r3,4\n\r\n") }
fn spaces_alone_stay(door) { arrives(door, "text/plain", " \t \n") }
fn quotes_and_backslashes_stay(door) { arrives(door, "text/plain", "\"a\\\"b\\\\u00e9/\"") }
fn a_form_arrives_byte_for_byte(door) { arrives(door, "application/x-www-form-urlencoded", "a=1+2&b=%C3%A9&a=3&c") }
fn xml_arrives_byte_for_byte(door) { arrives(door, "application/xml", "<?xml version=\"1.0\"?><a b='c'>\u{e9}</a>") }
fn text_that_looks_like_base64_stays(door) { arrives(door, "text/plain", "aGVsbG8gd29ybGQ=") }
fn bytes_that_look_like_base64_stay(door) { arrives(door, "application/octet-stream", "aGVsbG8gd29ybGQ=") }
fn a_type_in_capitals_changes_nothing(door) { arrives(door, "Application/JSON; Charset=UTF-8", "{\"a\":\"\u{e9}\"}") }
fn an_unknown_type_changes_nothing(door) { arrives(door, "application/vnd.acme.thing+json", "{\"a\":\"\u{e9}\"}") }

fn a_multipart_form_arrives_byte_for_byte(door) {
    let mut body = b"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\n\r\n".to_vec();
    body.extend(every_byte());
    body.extend(b"\r\n--x--\r\n");
    arrives(door, "multipart/form-data; boundary=x", body);
}

fn a_body_without_a_type_arrives(door) {
    let seen = seen(door, &post("/b", "no type"));
    assert_eq!(seen.body, b"no type");
    assert!(seen.all("content-type").is_empty());
}

fn an_encoded_body_is_not_decoded(door) {
    let body = b"\x1f\x8b\x08\x00\xff\x00";
    let request = post("/b", body).header("Content-Type", "application/json").header("Content-Encoding", "gzip");
    let seen = seen(door, &request);
    assert_eq!((seen.body.as_slice(), seen.one("content-encoding")), (&body[..], "gzip"));
}

fn an_encoding_that_is_a_lie_is_the_apps_business(door) {
    let request = post("/b", "plain").header("Content-Type", "text/plain").header("Content-Encoding", "br");
    assert_eq!(seen(door, &request).body, b"plain");
}

fn put_patch_and_delete_have_bodies(door) {
    for request in [put("/b", "1"), patch("/b", "2"), delete("/b", "3")] {
        assert_eq!(seen(door, &request.clone().header("Content-Type", "text/plain")).body, request.body);
    }
}

fn a_body_in_chunks_arrives_whole(door) {
    let body: Vec<u8> = every_byte().repeat(100);
    let request = post("/b", body.clone()).header("Content-Type", "application/octet-stream").chunked();
    assert_eq!(seen(door, &request).body, body);
}

fn an_empty_body_in_chunks_is_empty(door) {
    assert!(seen(door, &post("/b", "").chunked()).body.is_empty());
}

fn a_body_of_exactly_the_limit_arrives(door) {
    let request = post("/b", vec![b'x'; MAX_BODY]).header("Content-Type", "text/plain");
    assert_eq!(seen(door, &request).body.len(), MAX_BODY);
}

fn a_body_over_the_limit_is_413(door) {
    let request = post("/b", vec![b'x'; MAX_BODY + 1]).header("Content-Type", "text/plain");
    let problem = ask(door, &request).problem(413);
    assert_eq!(problem["limit"], MAX_BODY);
    still_answers(door);
}

fn bytes_over_the_limit_are_413(door) {
    let request = post("/b", vec![0xff; MAX_BODY + 1]).header("Content-Type", "image/png");
    ask(door, &request).problem(413);
    still_answers(door);
}

fn a_body_in_chunks_over_the_limit_is_413(door) {
    let request = post("/b", vec![b'x'; MAX_BODY + 1]).header("Content-Type", "text/plain").chunked();
    ask(door, &request).problem(413);
    still_answers(door);
}

}
