//! Application Load Balancers, with multi-value headers or without.
//!
//! A load balancer decodes nothing. Without multi-value headers it keeps only the last of several values;
//! with them it sends only the multi-value maps, and takes only such an answer.

use anyhost_core::Scheme;
use bytes::Bytes;

use super::json::{Event, Texts};
use super::{SourceRequest, forwarded, headers, target};
use crate::answers::Shape;

pub(super) fn read<'e>(event: &'e Event<'_>, raw: &Bytes) -> SourceRequest<'e> {
    // The answer has the form of the map that is not empty; the other map is ignored.
    let multi = match (&event.multi_value_headers.0, &event.headers.0) {
        (Some(many), Some(single)) => !many.is_empty() || single.is_empty(),
        (many, _) => many.is_some(),
    };
    let mut headers = headers::header_map(&headers::all(event), raw);
    headers::take_cookies(&mut headers, &Texts::default());

    let path = event.path.as_str();
    let mut said = String::with_capacity(path.len() + 128);
    target::push_path(&mut said, path);
    target::push_pairs(&mut said, &target::query(event));

    SourceRequest {
        shape: if multi { &Shape::ALB_MULTI } else { &Shape::ALB_SINGLE },
        method: event.method.as_str(),
        target: said,
        mount: "",
        client_ip: forwarded::last_address(&headers),
        scheme: forwarded::scheme(&headers, Scheme::Http),
        domain: None,
        headers,
    }
}
