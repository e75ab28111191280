//! What the App saw of a request, as JSON.

use anyhost_core::{Body, Context, Error, Request, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde::Serialize;

/// Answers a request with what was seen of it.
pub(crate) async fn seen(request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let body = STANDARD.encode(body.bytes().await?);
    let context = parts.extensions.get::<Context>();
    let seen = SeenRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: in_order(&parts.headers),
        body,
        client_ip: context.and_then(Context::client_ip).map(|address| address.to_string()),
        scheme: context.map(|context| context.scheme().as_str()),
        host: context.and_then(Context::host),
        request_id: context.map(Context::request_id),
        trace_parent: context.map(Context::trace_parent),
    };
    let mut response = Response::new(Body::from(serde_json::to_vec(&seen)?));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The answer; its fields leave in this order.
#[derive(Serialize)]
struct SeenRequest<'a> {
    method: &'a str,
    /// As it was received, percent-encoded.
    path: &'a str,
    /// As it was received, without the `?`; `null` if there was none, `""` if nothing followed it.
    query: Option<&'a str>,
    headers: Vec<(&'a str, String)>,
    /// Base64.
    body: String,
    client_ip: Option<String>,
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    request_id: Option<&'a str>,
    trace_parent: Option<&'a str>,
}

/// All headers; repeated ones stand together, in the order in which they were received.
fn in_order(headers: &HeaderMap) -> Vec<(&str, String)> {
    headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
}

/// A header value as text: what is UTF-8 as it stands; of what is not, one character for each byte
/// (Latin-1), so that encoding it as Latin-1 gives the bytes back.
fn text(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(text(&HeaderValue::from_bytes(bytes).expect("a value")), expected);
    }

    #[test]
    fn a_header_value_that_is_not_utf_8_shows_each_byte() {
        check(b"plain", "plain");
        check("caf\u{e9} \u{20ac}".as_bytes(), "caf\u{e9} \u{20ac}");
        check(b"caf\xe9", "caf\u{e9}");
        check(b"\xc3\xa9 and \xe9", "\u{c3}\u{a9} and \u{e9}");
    }

    #[tokio::test]
    async fn the_answer_has_exactly_these_fields_in_this_order() {
        let mut request = Request::new(Body::from("x"));
        *request.uri_mut() = "/a%20b?c=d".parse().expect("a target");
        request.headers_mut().insert("x-a", HeaderValue::from_static("1"));
        let response = seen(request).await.expect("no cause to fail");
        let body = response.into_body().bytes().await.expect("buffered");
        assert_eq!(
            body,
            r#"{"method":"GET","path":"/a%20b","query":"c=d","headers":[["x-a","1"]],"body":"eA==","client_ip":null,"scheme":null,"host":null,"request_id":null,"trace_parent":null}"#
        );
    }
}
