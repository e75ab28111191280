//! The headers of a request that its door acts on.

use http::header::{HeaderMap, HeaderValue};

use crate::http::wire::{Role, is_host, role};

/// The headers of a request that its door acts on, found in one pass.
#[derive(Default)]
pub(super) struct RequestHeaders {
    /// Whether there are hop-by-hop headers.
    pub(super) hops: bool,
    pub(super) cookies: usize,
    pub(super) lengths: usize,
    /// The trace that the client says it began.
    pub(super) trace_parent: Option<HeaderValue>,
    pub(super) host: SentHost,
}

/// The `Host` header of a request.
#[derive(Default)]
pub(super) enum SentHost {
    #[default]
    None,
    Valid(Box<str>),
    Wrong(&'static str),
}

impl RequestHeaders {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for (name, value) in headers {
            match role(name) {
                Role::Other => {}
                Role::HopByHop => seen.hops = true,
                Role::Cookies => seen.cookies += 1,
                Role::Length => seen.lengths += 1,
                Role::TraceParent => {
                    // Of two neither goes on, as W3C's tests have it: an empty one is not valid.
                    let twice = seen.trace_parent.is_some();
                    let value = if twice { HeaderValue::from_static("") } else { value.clone() };
                    seen.trace_parent = Some(value);
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
