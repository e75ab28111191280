//! A request on its way to actix-web.

use std::net::SocketAddr;

use actix_http::Request;
use actix_web::HttpMessage;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, Uri, Version};
use anyhost_core::{Context, Error};
use bytes::{Bytes, BytesMut};
use http::StatusCode;

use crate::body::payload_of;

/// The request as actix-web has it, whose types are those of the crate `http` before its version 1.
///
/// # Errors
/// 400 for what that version of `http` cannot represent, such as some request targets.
pub(crate) fn translate(request: anyhost_core::Request) -> Result<Request, Error> {
    let (parts, body) = request.into_parts();
    let mut translated = Request::with_payload(payload_of(body));
    let head = translated.head_mut();
    head.method =
        Method::from_bytes(parts.method.as_str().as_bytes()).map_err(unknown("method"))?;
    head.version = match parts.version {
        http::Version::HTTP_10 => Version::HTTP_10,
        http::Version::HTTP_2 => Version::HTTP_2,
        _ => Version::HTTP_11,
    };

    // The target and the header values share one allocation, of which each is a slice.
    let target = target_of(&parts.uri);
    let length = parts.headers.values().map(http::HeaderValue::len).sum::<usize>() + target.len();
    let mut all = BytesMut::with_capacity(length);
    let mut copy = |bytes: &[u8]| -> Bytes {
        all.extend_from_slice(bytes);
        all.split().freeze()
    };
    head.uri = Uri::from_maybe_shared(copy(target.as_bytes())).map_err(unknown("target"))?;
    for (name, value) in &parts.headers {
        let name =
            HeaderName::from_lowercase(name.as_str().as_bytes()).map_err(unknown("header"))?;
        let value = HeaderValue::from_maybe_shared(copy(value.as_bytes()));
        head.headers.append(name, value.map_err(unknown("header"))?);
    }

    if let Some(context) = parts.extensions.get::<Context>() {
        // The port is unknown: the address may come from a proxy's header, which has none.
        head.peer_addr = context.client_ip().map(|address| SocketAddr::new(address, 0));
        translated.extensions_mut().insert(context.clone());
    }
    Ok(translated)
}

/// The target as the client wrote it: a path with its query, an absolute URI or `*`.
fn target_of(uri: &http::Uri) -> std::borrow::Cow<'_, str> {
    match uri.path_and_query() {
        Some(path) if uri.authority().is_none() => path.as_str().into(),
        _ => uri.to_string().into(),
    }
}

fn unknown<E>(what: &'static str) -> impl Fn(E) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |cause| {
        Error::new(StatusCode::BAD_REQUEST, format!("the {what} of the request is not valid"))
            .with_source(cause)
    }
}
