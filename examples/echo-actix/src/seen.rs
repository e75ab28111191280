//! What a handler saw of a request, as JSON.

use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use anyhost_core::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// Answers a request with what was seen of it.
pub(crate) async fn seen(
    request: HttpRequest,
    context: web::ReqData<Context>,
    body: web::Bytes,
) -> HttpResponse {
    let connection = request.connection_info();
    HttpResponse::Ok().json(SeenRequest {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query(),
        headers: texts(request.headers()),
        body: STANDARD.encode(body),
        client_ip: connection.realip_remote_addr(),
        scheme: connection.scheme(),
        host: connection.host(),
        request_id: context.request_id(),
        trace_parent: context.trace_parent(),
    })
}

/// The answer; its fields are written in this order.
#[derive(Serialize)]
struct SeenRequest<'a> {
    method: &'a str,
    /// As it was received, percent-encoded.
    path: &'a str,
    /// As it was received, without the `?`: `null` without a query, `""` if nothing follows the `?`.
    query: Option<&'a str>,
    headers: Vec<(&'a str, String)>,
    /// Base64.
    body: String,
    client_ip: Option<&'a str>,
    scheme: &'a str,
    host: &'a str,
    request_id: &'a str,
    trace_parent: &'a str,
}

/// All headers; repeated ones stand together, in the order in which they were received.
fn texts(headers: &HeaderMap) -> Vec<(&str, String)> {
    headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
}

/// A header value as text: UTF-8 as it stands, anything else one character for each byte (Latin-1).
fn text(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
    }
}
