//! What the headers of a request say to its door.

use http::header::{HeaderMap, HeaderValue};

use crate::http::wire::{Role, is_host, role};

/// What one look at the headers of a request shows its door.
#[derive(Default)]
pub(super) struct RequestHeaders {
    /// There are headers of the connection.
    pub(super) hops: bool,
    pub(super) cookies: usize,
    /// The trace that the client says it began.
    pub(super) trace_parent: Option<HeaderValue>,
    pub(super) host: SentHost,
}

/// What is said by the `Host` header.
#[derive(Default)]
pub(super) enum SentHost {
    #[default]
    None,
    Valid(Box<str>),
    Wrong(&'static str),
}

impl RequestHeaders {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for (name, value) in headers {
            match role(name) {
                Role::Other => {}
                Role::HopByHop => seen.hops = true,
                Role::Cookies => seen.cookies += 1,
                Role::TraceParent => {
                    seen.trace_parent.get_or_insert_with(|| value.clone());
                }
                Role::Host => {
                    seen.host = match (seen.host, value.to_str()) {
                        (SentHost::None, Ok(host)) if is_host(host) => SentHost::Valid(host.into()),
                        (SentHost::None, _) => SentHost::Wrong("the Host header is not a host"),
                        _ => SentHost::Wrong("there are two Host headers"),
                    };
                }
            }
        }
        seen
    }
}
