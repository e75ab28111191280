//! Payload format 2.0: API Gateway's HTTP APIs, and Function URLs.
//!
//! Both give the query as the client sent it. A Function URL gives the path as sent too, and so does
//! `cargo lambda watch`, whose events are of no API and come over plain HTTP; an HTTP API decodes it and,
//! on its execute-api host, puts the stage before it. A Function URL has no other domain than its own, so
//! an event by any other is of an HTTP API: with a custom domain, or of an emulator.

use anyhost_core::Scheme;
use bytes::Bytes;

use super::json::Event;
use super::{SourceRequest, forwarded, headers, target};
use crate::answers::Shape;

pub(super) fn read<'e>(event: &'e Event<'_>, raw: &Bytes) -> SourceRequest<'e> {
    let context = &event.context;
    let mut headers = headers::header_map(&event.headers, raw);
    headers::take_cookies(&mut headers, &event.cookies);

    let domain = context.domain.as_str();
    let watched = domain == "localhost" && context.api.filled().is_none();
    let function_url = context.on_domain_of("lambda-url") || watched;
    let on_execute_api = context.on_domain_of("execute-api");
    let path = event.raw_path.as_str();
    let (mount, path) = match context.stage.filled() {
        Some(stage) if on_execute_api => target::split_stage(path, stage).unwrap_or(("", path)),
        _ => ("", path),
    };
    let query = event.raw_query.as_str();
    let mut said = String::with_capacity(path.len() + query.len() + 16);
    match function_url {
        true => target::push_path(&mut said, path),
        false => target::push_decoded_path(&mut said, path),
    }
    target::push_query(&mut said, query);

    SourceRequest {
        shape: if function_url { &Shape::FUNCTION_URL } else { &Shape::HTTP_2 },
        method: context.http.method.as_str(),
        target: said,
        mount,
        client_ip: forwarded::address(context.http.source_ip.as_str()),
        scheme: forwarded::scheme(&headers, if watched { Scheme::Http } else { Scheme::Https }),
        domain: context.domain.filled(),
        headers,
    }
}
