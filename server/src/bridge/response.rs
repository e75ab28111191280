//! From the App's response to actix's.

use actix_http::body::BodySize;
use actix_http::header as old;
use anyhost_core::{Body, Response};
use http::StatusCode;
use http::header::CONTENT_LENGTH;

use super::active::Active;
use super::outgoing::Outgoing;
use super::upload::Upload;

/// The response that actix sends for one that core has settled; `head` says that the method was HEAD.
pub(super) fn translate(
    response: Response,
    head: bool,
    upload: Option<Upload>,
    active: Active,
) -> actix_http::Response<Outgoing> {
    let (parts, body) = response.into_parts();
    let body = outgoing(&parts, body, head, upload, active);
    let mut to = actix_http::Response::with_body(status(parts.status), body);
    let headers = to.headers_mut();
    let mut last = None;
    for (name, value) in parts.headers {
        if let Some(name) = name {
            last = (name != CONTENT_LENGTH).then(|| old_name(&name)).flatten();
        }
        // Both maps take the same bytes: what one holds, the other accepts.
        if let (Some(name), Ok(value)) = (&last, old_value(&value)) {
            headers.append(name.clone(), value);
        }
    }
    to
}

/// The body of a response as it is sent; `head` says that the method was HEAD.
pub(super) fn outgoing(
    parts: &http::response::Parts,
    body: Body,
    head: bool,
    upload: Option<Upload>,
    active: Active,
) -> Outgoing {
    let declared = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let bodyless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&parts.status);
    if bodyless {
        Outgoing::none(BodySize::None, active)
    } else if head {
        // What GET would have said of its body, without the body.
        Outgoing::none(declared.map_or(BodySize::None, BodySize::Sized), active)
    } else {
        Outgoing::new(body, declared, upload, active)
    }
}

/// The name that every response has.
static REQUEST_ID: old::HeaderName = old::HeaderName::from_static("x-request-id");

/// A name in actix's words. Those that most responses have are not parsed.
fn old_name(name: &http::HeaderName) -> Option<old::HeaderName> {
    match name.as_str() {
        "content-type" => Some(old::CONTENT_TYPE),
        "x-request-id" => Some(REQUEST_ID.clone()),
        "cache-control" => Some(old::CACHE_CONTROL),
        "location" => Some(old::LOCATION),
        name => old::HeaderName::from_lowercase(name.as_bytes()).ok(),
    }
}

/// A value in actix's words. Those that most responses have are not copied.
fn old_value(value: &http::HeaderValue) -> Result<old::HeaderValue, old::InvalidHeaderValue> {
    Ok(match value.as_bytes() {
        b"application/json" => old::HeaderValue::from_static("application/json"),
        b"text/plain; charset=utf-8" => old::HeaderValue::from_static("text/plain; charset=utf-8"),
        b"text/html; charset=utf-8" => old::HeaderValue::from_static("text/html; charset=utf-8"),
        bytes => return old::HeaderValue::from_bytes(bytes),
    })
}

fn status(status: StatusCode) -> actix_http::StatusCode {
    actix_http::StatusCode::from_u16(status.as_u16())
        .expect("both crates allow every status from 100 to 999")
}
