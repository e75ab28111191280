//! Every shape of response that a host may get wrong, by name.

use std::io;
use std::time::Duration;

use anyhost_core::{Body, Context, Error, Request, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION, SET_COOKIE, TRAILER, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;

/// Answers one of the shapes; a 404 if there is no shape of that name.
pub(crate) async fn shape(name: &str) -> Result<Response, Error> {
    Ok(match name {
        // Text and bytes, with and without a type that tells them apart.
        "text" => typed("text/plain; charset=utf-8", "h\u{e9}llo"),
        "json" => typed("application/json", r#"{"ok":true}"#),
        "json-upper" => typed("Application/JSON", r#"{"ok":true}"#),
        "empty-ct-json" => typed("application/json", ""),
        "problem" => {
            typed("application/problem+json", r#"{"type":"about:blank","title":"Sold out"}"#)
        }
        "ndjson" => typed("application/x-ndjson", "{\"n\":1}\n{\"n\":2}\n"),
        "svg" => typed("image/svg+xml", r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#),
        "form" => typed("application/x-www-form-urlencoded", "a=1&b=two+words"),
        "yaml" => typed("application/yaml", "a: 1\n"),
        "wasm" => typed("application/wasm", &b"\0asm\x01\0\0\0"[..]),
        "bin" => typed("image/png", PNG),
        "bin-noct" => Response::new(Body::from(PNG)),
        "utf8-noct" => Response::new(Body::from("plain")),
        "latin1" => typed("text/plain; charset=iso-8859-1", &b"caf\xe9"[..]),
        "charset-utf16" => typed("text/plain; charset=utf-16", &b"\xfe\xff\0a"[..]),
        "text-with-nul" => typed("text/plain", &b"a\xffb"[..]),
        "gzip" => {
            with(typed("text/html", &b"\x1f\x8b\x08\xff"[..]), [(CONTENT_ENCODING, value(b"gzip"))])
        }
        "big7mb" => typed("text/plain", vec![b'a'; 7 << 20]),
        "bin5mb" => typed("application/octet-stream", vec![0xff; 5 << 20]),

        // Statuses.
        "204" => status(StatusCode::NO_CONTENT),
        "304" => with(status(StatusCode::NOT_MODIFIED), [(ETAG, value(b"\"x\""))]),
        "redirect" => with(status(StatusCode::FOUND), [(LOCATION, value(b"/x?y=1"))]),
        "101" => status(StatusCode::SWITCHING_PROTOCOLS),
        "205" => {
            let mut response = typed("text/plain", "nothing");
            *response.status_mut() = StatusCode::RESET_CONTENT;
            response
        }
        "600" => status(StatusCode::from_u16(600).unwrap_or_default()),

        // Headers.
        "head" => with(status(StatusCode::OK), [(CONTENT_LENGTH, value(b"1234"))]),
        // A length that is not the body's.
        "hdr-short" => with(typed("text/plain", pieces()), [(CONTENT_LENGTH, value(b"4"))]),
        "hdr-num" => with(Response::new(Body::from("ok")), [(CONTENT_LENGTH, value(b"2"))]),
        "twocookies" => with(
            status(StatusCode::OK),
            [
                (SET_COOKIE, value(b"a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT")),
                (SET_COOKIE, value(b"b=2; Path=/")),
            ],
        ),
        "duphdr" => with(
            status(StatusCode::OK),
            [
                (X_DUP, value(b"1")),
                (X_DUP, value(b"2")),
                (VARY, value(b"origin")),
                (VARY, value(b"accept")),
            ],
        ),
        "utf8hdr" => with(status(StatusCode::OK), [(X_NAME, value(UTF8)), (X_L1, value(LATIN1))]),
        "utf8only" => with(status(StatusCode::OK), [(X_U, value(UTF8))]),
        "l1only" => with(status(StatusCode::OK), [(X_L, value(LATIN1))]),

        // Time and failure.
        "slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Response::new(Body::from("slow"))
        }
        "sse" => typed("text/event-stream", events()),
        "trailers" => with(Response::new(with_trailer()), [(TRAILER, value(b"x-t"))]),
        "err" => typed("text/plain", breaks_off()),
        "panic" => panic!("this shape panics"),
        // Blocks its thread for ever, with every other request of that thread: no handler may do that.
        "block" => loop {
            std::thread::park();
        },

        _ => return Err(Error::new(StatusCode::NOT_FOUND, "there is no shape of that name")),
    })
}

const PNG: &[u8] = b"\x89P\xff\0";
const UTF8: &[u8] = "caf\u{e9}".as_bytes();
const LATIN1: &[u8] = b"caf\xe9";

const X_DUP: HeaderName = HeaderName::from_static("x-dup");
const X_NAME: HeaderName = HeaderName::from_static("x-name");
const X_L1: HeaderName = HeaderName::from_static("x-l1");
const X_U: HeaderName = HeaderName::from_static("x-u");
const X_L: HeaderName = HeaderName::from_static("x-l");

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn typed(media_type: &'static str, body: impl Into<Body>) -> Response {
    with(Response::new(body.into()), [(CONTENT_TYPE, HeaderValue::from_static(media_type))])
}

fn with<const N: usize>(
    mut response: Response,
    headers: [(HeaderName, HeaderValue); N],
) -> Response {
    for (name, value) in headers {
        response.headers_mut().append(name, value);
    }
    response
}

fn value(bytes: &'static [u8]) -> HeaderValue {
    HeaderValue::from_bytes(bytes).expect("the values above hold no control characters")
}

/// Five events, the first at once and 200 ms between them.
fn events() -> Body {
    Body::stream(stream::unfold(0, |n| async move {
        if n == 5 {
            return None;
        }
        if n > 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Some((Ok::<_, io::Error>(format!("data: {n}\n\n")), n + 1))
    }))
}

/// An event every 50 ms until the host says stop.
pub(crate) fn endless(request: &Request) -> Response {
    let context = Context::get(request).cloned().unwrap_or_else(Context::fresh);
    let events = stream::unfold(context, |context| async move {
        let pause = tokio::time::timeout(Duration::from_millis(50), context.draining()).await;
        // The time is over, or the host said stop.
        pause.is_err().then_some((Ok::<_, io::Error>("data: on\n\n"), context))
    });
    typed("text/event-stream", Body::stream(events))
}

fn with_trailer() -> Body {
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-t"), value(b"1"))]);
    let frames = [Frame::data(Bytes::from_static(b"data")), Frame::trailers(trailers)];
    Body::new(StreamBody::new(stream::iter(frames.map(Ok::<_, io::Error>))))
}

fn pieces() -> Body {
    Body::stream(stream::iter(["three", "pieces", "of text"].map(Ok::<_, io::Error>)))
}

fn breaks_off() -> Body {
    Body::stream(stream::iter([Ok("part"), Err(io::Error::other("the shape breaks off here"))]))
}
