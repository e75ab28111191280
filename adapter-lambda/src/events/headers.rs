//! The headers of an event, except those that HTTP cannot carry.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::json::{Event, Pairs, Scalar, Texts};
use super::shared;

/// The headers of both maps of an event.
pub(super) fn all<'e, 'a>(event: &'e Event<'a>) -> Cow<'e, Pairs<'a>> {
    event.multi_value_headers.with_missing(&event.headers, str::to_ascii_lowercase)
}

/// The headers of a map, in its order. Names that differ only in case are one name. A pair that is not a valid
/// header is left out and logged.
pub(super) fn header_map(pairs: &Pairs<'_>, event: &Bytes) -> HeaderMap {
    let pairs = pairs.0.as_deref().unwrap_or_default();
    let mut headers = HeaderMap::with_capacity(pairs.len() + 1);
    for (name, value) in pairs {
        let parsed = match value {
            Scalar::Text(text) => HeaderName::from_bytes(name.as_bytes())
                .ok()
                .zip(HeaderValue::from_maybe_shared(shared(event, text)).ok()),
            Scalar::Other(_) | Scalar::Nothing => None,
        };
        match parsed {
            Some((name, value)) => {
                // A `HeaderMap` takes 24,576 names; an event of the largest size has fewer.
                if headers.try_append(name, value).is_err() {
                    tracing::warn!(
                        "the event has more headers than can be read; the rest is dropped"
                    );
                    break;
                }
            }
            None => {
                tracing::warn!(header = ?name, "a header of the event is no header and was dropped");
            }
        }
    }
    headers
}

/// Replaces the cookies by those that the source lists separately, if it does: that list is complete.
pub(super) fn take_cookies(headers: &mut HeaderMap, listed: &Texts<'_>) {
    if listed.0.is_empty() {
        // sam local sends an empty header if there is no cookie.
        if headers.get_all(COOKIE).iter().all(HeaderValue::is_empty) {
            headers.remove(COOKIE);
        }
        return;
    }
    match HeaderValue::from_maybe_shared(Bytes::from(listed.0.join("; "))) {
        Ok(value) => {
            headers.insert(COOKIE, value);
        }
        Err(_) => tracing::warn!("the cookies of the event are no header and were dropped"),
    }
}

/// Sets `Content-Length` to the length of the body, if the header is present or the body is not empty.
pub(super) fn agree_on_length(headers: &mut HeaderMap, length: usize) {
    if length > 0 || headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}
