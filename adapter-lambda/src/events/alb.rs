//! Application Load Balancers, with multi-value headers or without.
//!
//! A load balancer decodes nothing. Without multi-value headers it keeps only the last of several values;
//! with them it sends only the multi-value maps, and takes only such an answer.

use anyhost_core::Scheme;
use bytes::Bytes;

use super::json::{Event, Texts};
use super::{Said, forwarded, headers, target};
use crate::answers::Shape;

pub(super) fn read<'e>(event: &'e Event<'_>, raw: &Bytes) -> Said<'e> {
    let multi = event.multi_value_headers.0.is_some();
    let mut headers =
        headers::of(if multi { &event.multi_value_headers } else { &event.headers }, raw);
    headers::take_cookies(&mut headers, &Texts::default());

    let path = event.path.as_str();
    let mut said = String::with_capacity(path.len() + 128);
    target::push_path(&mut said, path);
    let query = match event.multi_value_query.0 {
        Some(_) => &event.multi_value_query,
        None => &event.query,
    };
    target::push_pairs(&mut said, query);

    Said {
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
