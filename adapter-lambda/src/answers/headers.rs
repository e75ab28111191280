//! Headers as JSON: values are always texts, and what a client gets is what the App said.

use std::borrow::Cow;
use std::sync::Once;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Shape;
use super::json::{push_comma, push_text};
use super::shape::{Cookies, Headers};

/// Adds the members that hold the headers and the cookies.
pub(super) fn push(out: &mut Vec<u8>, headers: &HeaderMap, shape: &Shape) {
    match shape.headers {
        Headers::Joined => push_joined(out, headers, shape),
        Headers::Lists => push_lists(out, headers),
    }
    if shape.cookies == Cookies::Own && headers.contains_key(SET_COOKIE) {
        out.extend_from_slice(b",\"cookies\":");
        push_list(out, headers, &SET_COOKIE);
    }
}

/// Adds the members of a streamed answer's prelude.
pub(super) fn push_prelude(out: &mut Vec<u8>, headers: &HeaderMap) {
    push(out, headers, &Shape::FUNCTION_URL);
}

fn push_joined(out: &mut Vec<u8>, headers: &HeaderMap, shape: &Shape) {
    out.extend_from_slice(b",\"headers\":{");
    for name in headers.keys() {
        if name != SET_COOKIE {
            push_comma(out);
            push_text(out, name.as_str());
            out.push(b':');
            push_text(out, &joined(headers, name));
        }
    }
    let cookies = headers.get_all(SET_COOKIE);
    match shape.cookies {
        Cookies::Own => {}
        Cookies::List => match cookies.iter().count() {
            0 => {}
            1 => push_spellings(out, headers),
            _ => {
                push_comma(out);
                out.extend_from_slice(b"\"set-cookie\":");
                push_list(out, headers, &SET_COOKIE);
            }
        },
        Cookies::Spellings => {
            if cookies.iter().count() > 1 {
                static WARNED: Once = Once::new();
                WARNED.call_once(|| {
                    tracing::warn!(
                        "{} takes one value a header: several cookies are sent under several spellings \
                         of set-cookie; turn multi-value headers on for the target group",
                        shape.name
                    );
                });
            }
            push_spellings(out, headers);
        }
    }
    out.push(b'}');
}

fn push_lists(out: &mut Vec<u8>, headers: &HeaderMap) {
    out.extend_from_slice(b",\"multiValueHeaders\":{");
    for name in headers.keys() {
        push_comma(out);
        push_text(out, name.as_str());
        out.push(b':');
        push_list(out, headers, name);
    }
    out.push(b'}');
}

fn push_list(out: &mut Vec<u8>, headers: &HeaderMap, name: &HeaderName) {
    out.push(b'[');
    for value in headers.get_all(name) {
        push_comma(out);
        push_text(out, &text(value));
    }
    out.push(b']');
}

/// Adds each cookie under its own spelling of the name; HTTP does not mind the case.
fn push_spellings(out: &mut Vec<u8>, headers: &HeaderMap) {
    for (count, value) in headers.get_all(SET_COOKIE).iter().enumerate() {
        push_comma(out);
        push_text(out, &spelling(count));
        out.push(b':');
        push_text(out, &text(value));
    }
}

/// A spelling of `set-cookie` whose capitals are the bits of a number; 512 are different.
fn spelling(number: usize) -> String {
    let mut letter = 0;
    let capital = |c: char| {
        if !c.is_ascii_alphabetic() {
            return c;
        }
        letter += 1;
        if number >> (letter - 1) & 1 == 1 { c.to_ascii_uppercase() } else { c }
    };
    SET_COOKIE.as_str().chars().map(capital).collect()
}

/// All values of a name in one text, as RFC 9110 §5.3 joins them.
fn joined<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Cow<'h, str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(text).unwrap_or_default();
    values.fold(first, |mut joined, value| {
        joined.to_mut().push_str(", ");
        joined.to_mut().push_str(&text(value));
        joined
    })
}

/// A value as a text: UTF-8 as what it says, other bytes as the Latin-1 that HTTP once said they are.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().map(|byte| char::from(*byte)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_differ_by_case_alone() {
        assert_eq!(
            [0, 1, 2, 3].map(spelling),
            ["set-cookie", "Set-cookie", "sEt-cookie", "SEt-cookie"]
        );
        let all: std::collections::HashSet<String> = (0..512).map(spelling).collect();
        assert_eq!(all.len(), 512);
        assert!(all.iter().all(|name| name.eq_ignore_ascii_case("set-cookie")));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_latin_1() {
        let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).expect("a value");
        assert_eq!(text(&value("café".as_bytes())), "café");
        assert_eq!(text(&value(b"caf\xe9")), "café");
    }
}
