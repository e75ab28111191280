//! VPC Lattice with event structure 2.0.
//!
//! Headers and query are maps of lists. If the path comes with its query, that is the client's own and the
//! map is ignored. Whether the map is decoded is not documented: it is taken as the client wrote it, unless
//! it has characters that a query cannot contain.

use anyhost_core::Scheme;
use bytes::Bytes;

use super::json::{Event, Texts};
use super::{SourceRequest, forwarded, headers, target};
use crate::answers::Shape;

pub(super) fn read<'e>(event: &'e Event<'_>, raw: &Bytes) -> SourceRequest<'e> {
    let mut headers = headers::header_map(&event.headers, raw);
    headers::take_cookies(&mut headers, &Texts::default());

    let (path, query) = match event.path.as_str().split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (event.path.as_str(), None),
    };
    let mut said = String::with_capacity(path.len() + 128);
    target::push_path(&mut said, path);
    match query {
        Some(query) => target::push_query(&mut said, query),
        None if target::must_be_decoded(&event.query) => {
            target::push_decoded_pairs(&mut said, &event.query);
        }
        None => target::push_pairs(&mut said, &event.query),
    }

    SourceRequest {
        shape: &Shape::LATTICE,
        method: event.method.as_str(),
        target: said,
        mount: "",
        client_ip: forwarded::last_address(&headers),
        scheme: forwarded::scheme(&headers, Scheme::Https),
        domain: None,
        headers,
    }
}
