//! Every shape of response that a host may get wrong, by name, as actix-web makes them.

use std::io;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue, LOCATION, SET_COOKIE,
    TRAILER, VARY,
};
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use anyhost_actix::Problem;
use anyhost_core::{Context, Error};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

/// Answers one of the shapes; a 404 if there is no shape of that name.
pub(crate) async fn shape(
    name: web::Path<String>,
    context: web::ReqData<Context>,
) -> Result<HttpResponse, Problem> {
    let mut ok = HttpResponse::Ok();
    Ok(match name.as_str() {
        // Text and bytes, with and without a type that tells them apart.
        "text" => typed("text/plain; charset=utf-8").body("h\u{e9}llo"),
        "json" => typed("application/json").body(r#"{"ok":true}"#),
        "json-upper" => typed("Application/JSON").body(r#"{"ok":true}"#),
        "empty-ct-json" => typed("application/json").body(""),
        "problem" => {
            typed("application/problem+json").body(r#"{"type":"about:blank","title":"Sold out"}"#)
        }
        "ndjson" => typed("application/x-ndjson").body("{\"n\":1}\n{\"n\":2}\n"),
        "svg" => typed("image/svg+xml").body(r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#),
        "form" => typed("application/x-www-form-urlencoded").body("a=1&b=two+words"),
        "yaml" => typed("application/yaml").body("a: 1\n"),
        "wasm" => typed("application/wasm").body(&b"\0asm\x01\0\0\0"[..]),
        "bin" => typed("image/png").body(PNG),
        "bin-noct" => ok.body(PNG),
        "utf8-noct" => ok.body("plain"),
        "latin1" => typed("text/plain; charset=iso-8859-1").body(&b"caf\xe9"[..]),
        "charset-utf16" => typed("text/plain; charset=utf-16").body(&b"\xfe\xff\0a"[..]),
        "text-with-nul" => typed("text/plain").body(&b"a\xffb"[..]),
        "gzip" => typed("text/html")
            .insert_header((CONTENT_ENCODING, "gzip"))
            .body(&b"\x1f\x8b\x08\xff"[..]),
        "big7mb" => typed("text/plain").body(vec![b'a'; 7 << 20]),
        "bin5mb" => typed("application/octet-stream").body(vec![0xff; 5 << 20]),

        // Statuses.
        "204" => HttpResponse::NoContent().finish(),
        "304" => HttpResponse::NotModified().insert_header((ETAG, "\"x\"")).finish(),
        "redirect" => HttpResponse::Found().insert_header((LOCATION, "/x?y=1")).finish(),
        "101" => HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS).finish(),
        "205" => HttpResponse::ResetContent().content_type("text/plain").body("nothing"),
        "600" => HttpResponse::build(StatusCode::from_u16(600).unwrap_or_default()).finish(),

        // Headers.
        "head" => ok.insert_header((CONTENT_LENGTH, "1234")).finish(),
        // A length that is not the body's.
        "hdr-short" => typed("text/plain").insert_header((CONTENT_LENGTH, "4")).streaming(pieces()),
        "hdr-num" => ok.insert_header((CONTENT_LENGTH, "2")).body("ok"),
        "twocookies" => ok
            .append_header((SET_COOKIE, "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"))
            .append_header((SET_COOKIE, "b=2; Path=/"))
            .finish(),
        "duphdr" => ok
            .append_header(("x-dup", "1"))
            .append_header(("x-dup", "2"))
            .append_header((VARY, "origin"))
            .append_header((VARY, "accept"))
            .finish(),
        "utf8hdr" => ok
            .insert_header(("x-name", value(UTF8)))
            .insert_header(("x-l1", value(LATIN1)))
            .finish(),
        "utf8only" => ok.insert_header(("x-u", value(UTF8))).finish(),
        "l1only" => ok.insert_header(("x-l", value(LATIN1))).finish(),

        // Time and failure.
        "slow" => {
            actix_web::rt::time::sleep(Duration::from_millis(300)).await;
            ok.body("slow")
        }
        "sse" => typed("text/event-stream").streaming(events()),
        "endless" => typed("text/event-stream").streaming(endless(context.into_inner())),
        // actix-web's bodies have no trailers: what announces them is all that can be sent.
        "trailers" => ok.insert_header((TRAILER, "x-t")).body("data"),
        "err" => typed("text/plain").streaming(breaks_off()),
        "panic" => panic!("this shape panics"),
        // What no handler may do: its thread stands still for good, and what else it serves with it.
        "block" => loop {
            std::thread::park();
        },

        _ => {
            let missing = "there is no shape of that name";
            return Err(Error::new(http::StatusCode::NOT_FOUND, missing).into());
        }
    })
}

const PNG: &[u8] = b"\x89P\xff\0";
const UTF8: &[u8] = "caf\u{e9}".as_bytes();
const LATIN1: &[u8] = b"caf\xe9";

fn typed(media_type: &'static str) -> HttpResponseBuilder {
    let mut builder = HttpResponse::Ok();
    builder.insert_header((CONTENT_TYPE, media_type));
    builder
}

fn value(bytes: &'static [u8]) -> HeaderValue {
    HeaderValue::from_bytes(bytes).expect("the values above hold no control characters")
}

/// Five events, the first at once and 200 ms between them.
fn events() -> impl Stream<Item = io::Result<Bytes>> {
    stream::iter(0..5).then(|n| async move {
        if n > 0 {
            actix_web::rt::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(Bytes::from(format!("data: {n}\n\n")))
    })
}

/// An event every 50 ms until the host says stop.
fn endless(context: Context) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(context, |context| async move {
        let pause =
            actix_web::rt::time::timeout(Duration::from_millis(50), context.draining()).await;
        // The time is over, or the host said stop.
        pause.is_err().then(|| (Ok(Bytes::from_static(b"data: on\n\n")), context))
    })
}

fn pieces() -> impl Stream<Item = io::Result<Bytes>> {
    stream::iter(["three", "pieces", "of text"].map(|piece| Ok(Bytes::from(piece))))
}

fn breaks_off() -> impl Stream<Item = io::Result<Bytes>> {
    stream::iter([
        Ok(Bytes::from_static(b"part")),
        Err(io::Error::other("the shape breaks off here")),
    ])
}
