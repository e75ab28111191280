//! The doors of this process: each protocol and each event shape, in front of an App of the test.

mod direct;
mod function;
mod lacks;
mod socket;

use std::fmt;

use anyhost_core::Paradigm;

pub(crate) use direct::Direct;
pub(crate) use function::Function;
pub(crate) use socket::Socket;

use crate::events::{self, Source};

/// The doors that the kit opens in the process of the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DoorKind {
    /// No protocol: the App behind the rules that all doors share, and nothing else. On every host.
    Direct,
    /// HTTP/1.1 over a loopback socket, on a long-running host.
    Http1,
    /// HTTP/2 over a loopback socket, on a long-running host.
    Http2,
    /// An API Gateway REST API (payload format 1.0), on a serverless host, as all below.
    RestV1,
    /// An API Gateway HTTP API (payload format 2.0).
    HttpV2,
    /// An API Gateway HTTP API with payload format 1.0.
    HttpV1,
    /// A Lambda Function URL.
    FunctionUrl,
    /// An Application Load Balancer with single-value headers.
    AlbSingle,
    /// An Application Load Balancer with multi-value headers.
    AlbMulti,
    /// VPC Lattice.
    Lattice,
}

impl DoorKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Direct,
        Self::Http1,
        Self::Http2,
        Self::RestV1,
        Self::HttpV2,
        Self::HttpV1,
        Self::FunctionUrl,
        Self::AlbSingle,
        Self::AlbMulti,
        Self::Lattice,
    ];

    /// Its name: `http1`, `lambda_http_v2`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::RestV1 => "lambda_rest_v1",
            Self::HttpV2 => "lambda_http_v2",
            Self::HttpV1 => "lambda_http_v1",
            Self::FunctionUrl => "lambda_url",
            Self::AlbSingle => "lambda_alb_single",
            Self::AlbMulti => "lambda_alb_multi",
            Self::Lattice => "lambda_lattice",
        }
    }

    /// The paradigm of the hosts that have such a door; the direct one is on both and counts as long-running.
    #[must_use]
    pub const fn paradigm(self) -> Paradigm {
        match self {
            Self::Direct | Self::Http1 | Self::Http2 => Paradigm::LongRunning,
            _ => Paradigm::Serverless,
        }
    }

    /// The source of its events, if it is one of events.
    #[must_use]
    pub fn source(self) -> Option<&'static dyn Source> {
        match self {
            Self::Direct | Self::Http1 | Self::Http2 => None,
            Self::RestV1 => Some(&events::RestV1),
            Self::HttpV2 => Some(&events::HttpV2),
            Self::HttpV1 => Some(&events::HttpV1),
            Self::FunctionUrl => Some(&events::FunctionUrl),
            Self::AlbSingle => Some(&events::AlbSingle),
            Self::AlbMulti => Some(&events::AlbMulti),
            Self::Lattice => Some(&events::Lattice),
        }
    }
}

impl fmt::Display for DoorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
