//! Headers as JSON: every value is a string, and the client gets the values that the App set.

use std::borrow::Cow;
use std::sync::Once;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Shape;
use super::json::{push_comma, push_text};
use super::shape::{Cookies, Headers};

/// Adds the members that hold the headers and the cookies.
pub(super) fn push(out: &mut Vec<u8>, headers: &HeaderMap, shape: &Shape) {
    let member: &[u8] = match shape.headers {
        Headers::Joined(_) | Headers::Mixed => b",\"headers\":{",
        Headers::Lists => b",\"multiValueHeaders\":{",
    };
    out.extend_from_slice(member);
    for name in headers.keys() {
        match shape.headers {
            Headers::Joined(_) if name == SET_COOKIE => {}
            Headers::Joined(_) => push_member(out, name.as_str(), &joined(headers, name)),
            Headers::Mixed => match one(headers, name) {
                Some(value) => push_member(out, name.as_str(), &text(value)),
                None => push_list(out, headers, name),
            },
            Headers::Lists => push_list(out, headers, name),
        }
    }
    if shape.headers == Headers::Joined(Cookies::Spellings) {
        push_spellings(out, headers, shape);
    }
    out.push(b'}');
    if shape.headers == Headers::Joined(Cookies::Own) {
        // Written even if it is empty: `cargo lambda watch` refuses an answer without the list.
        out.extend_from_slice(b",\"cookies\":");
        push_values(out, headers, &SET_COOKIE);
    }
}

fn push_member(out: &mut Vec<u8>, name: &str, value: &str) {
    push_comma(out);
    push_text(out, name);
    out.push(b':');
    push_text(out, value);
}

fn push_list(out: &mut Vec<u8>, headers: &HeaderMap, name: &HeaderName) {
    push_comma(out);
    push_text(out, name.as_str());
    out.push(b':');
    push_values(out, headers, name);
}

fn push_values(out: &mut Vec<u8>, headers: &HeaderMap, name: &HeaderName) {
    out.push(b'[');
    for value in headers.get_all(name) {
        push_comma(out);
        push_text(out, &text(value));
    }
    out.push(b']');
}

/// Adds each cookie under its own spelling of the name, since HTTP ignores case and JSON keys must differ.
fn push_spellings(out: &mut Vec<u8>, headers: &HeaderMap, shape: &Shape) {
    let cookies = headers.get_all(SET_COOKIE);
    let count = cookies.iter().count();
    if count > 1 {
        static WARNED: Once = Once::new();
        WARNED.call_once(|| {
            tracing::warn!(
                "{} takes one value a header: several cookies are sent under several spellings of \
                 set-cookie; turn multi-value headers on for the target group",
                shape.name
            );
        });
    }
    for (index, value) in cookies.iter().enumerate() {
        push_member(out, &spelling(SPELLINGS.saturating_sub(count) + index), &text(value));
    }
}

/// The number of ways to spell nine letters in upper and lower case.
const SPELLINGS: usize = 512;

/// Spells `set-cookie` with lower-case letters at the set bits of a number. The last spelling is all lower case, and
/// the numeric order equals the alphabetical one, so that a reader that sorts the keys keeps the order.
fn spelling(number: usize) -> String {
    let mut letter = 9;
    let case = |c: char| {
        if !c.is_ascii_alphabetic() {
            return c;
        }
        letter -= 1;
        if number >> letter & 1 == 1 { c } else { c.to_ascii_uppercase() }
    };
    SET_COOKIE.as_str().chars().map(case).collect()
}

/// Returns the value of a name that has exactly one.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Joins all values of a name with commas (RFC 9110 §5.3).
fn joined<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Cow<'h, str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(text).unwrap_or_default();
    values.fold(first, |mut joined, value| {
        joined.to_mut().push_str(", ");
        joined.to_mut().push_str(&text(value));
        joined
    })
}

/// Decodes a value: as UTF-8 if it is valid, else as Latin-1, which older versions of HTTP prescribed.
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
    fn spellings_differ_by_case_alone_and_are_in_order() {
        let all: Vec<String> = (0..SPELLINGS).map(spelling).collect();
        assert_eq!(all[SPELLINGS - 2..], ["set-cookiE", "set-cookie"]);
        assert!(all.is_sorted_by(|one, next| one < next));
        assert!(all.iter().all(|name| name.eq_ignore_ascii_case("set-cookie")));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_latin_1() {
        let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).expect("a value");
        assert_eq!(text(&value("café".as_bytes())), "café");
        assert_eq!(text(&value(b"caf\xe9")), "café");
    }
}
