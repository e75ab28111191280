//! API Gateway's REST APIs, and its HTTP APIs with payload format 1.0.
//!
//! A REST API gives the path as the client sent it and without the stage, which only
//! `requestContext.path` shows; an HTTP API gives it decoded and, on its execute-api host, with the
//! stage. Both give the query as a map, decoded.

use anyhost_core::Scheme;
use bytes::Bytes;

use super::json::{Event, Texts};
use super::{SourceRequest, forwarded, headers, target};
use crate::answers::Shape;

pub(super) fn read<'e>(event: &'e Event<'_>, raw: &Bytes) -> SourceRequest<'e> {
    let context = &event.context;
    let mut headers = headers::header_map(&headers::all(event), raw);
    headers::take_cookies(&mut headers, &Texts::default());

    let path = event.path.as_str();
    let http_api = event.version.as_str() == "1.0";
    let (mount, path) = match http_api && context.on_domain_of("execute-api") {
        true => target::split_stage(path, context.stage.as_str()).unwrap_or(("", path)),
        // The prefix of the full path is the stage or base path under which the gateway serves the API.
        false => (context.path.as_str().strip_suffix(path).unwrap_or_default(), path),
    };
    let mut said = String::with_capacity(path.len() + 128);
    match http_api {
        true => target::push_decoded_path(&mut said, path),
        false => target::push_path(&mut said, path),
    }
    target::push_decoded_pairs(&mut said, &target::query(event));

    SourceRequest {
        shape: if http_api { &Shape::HTTP_1 } else { &Shape::REST },
        method: event.method.as_str(),
        target: said,
        mount,
        client_ip: forwarded::address(context.identity.source_ip.as_str()),
        scheme: forwarded::scheme(&headers, Scheme::Https),
        domain: context.domain.filled(),
        headers,
    }
}
