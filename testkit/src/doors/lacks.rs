//! The list of capabilities that the doors of this process lack, each with its reason.

use super::DoorKind;
use crate::{Capability, Lack};

impl DoorKind {
    /// What this door cannot carry, and why.
    #[must_use]
    pub const fn lacks(self) -> &'static [Lack] {
        use Capability::*;
        match self {
            Self::Direct => &[
                (Wire, "the request is a value, nobody parses it"),
                (Upgrades, "there is no connection to go on with"),
                (WebSockets, "there is no connection to go on with"),
                (Buffers, "the client has the head before the body is made"),
                (AnswerLimit, "there is none"),
                (FrontEnd, "there is none"),
            ],
            Self::Http1 => &[
                (Buffers, "the client has the head before the body is made"),
                (AnswerLimit, "there is none"),
                (NoWebSockets, "there are some"),
                (FrontEnd, "there is none before this socket"),
            ],
            Self::Http2 => &[
                (Wire, "requests are frames, and what they hold is no text"),
                (Buffers, "the client has the head before the body is made"),
                (HopHeaders, "HTTP/2 has none, and forbids them"),
                (Upgrades, "HTTP/2 has none"),
                (WebSockets, "over HTTP/2 it is another request (RFC 8441), which longrun tests"),
                (NoWebSockets, "there are some"),
                (AnswerLimit, "there is none"),
                (FrontEnd, "there is none before this socket"),
            ],
            Self::RestV1 => &[
                (Wire, NO_WIRE),
                (Streams, BUFFERED),
                (Trailers, NO_TRAILERS),
                (AnyMethod, METHODS),
                (IllegalTargets, "API Gateway refuses them"),
                (QueryEscapes, "API Gateway decodes the query"),
                (QueryOrder, "a map holds the query, the values of one name together"),
                (QueryFlags, "a map holds the query: `a` and `a=` are one, and `?` is none"),
                (AnswerBytes, JSON),
                (LargeAnswers, SIX_MB),
                (WebSockets, NO_WEBSOCKETS),
            ],
            Self::HttpV2 => &[
                (Wire, NO_WIRE),
                (Streams, BUFFERED),
                (Trailers, NO_TRAILERS),
                (AnyMethod, METHODS),
                (PathEscapes, "API Gateway decodes the path"),
                (
                    IllegalTargets,
                    "API Gateway decodes the path, so that escapes cannot be told apart",
                ),
                (QueryFlags, "rawQueryString is \"\" with and without a `?`"),
                (HeaderLines, "API Gateway joins repeated headers by commas"),
                (AnswerLines, "the answer has one string for each name"),
                (AnswerBytes, JSON),
                (LargeAnswers, SIX_MB),
                (WebSockets, NO_WEBSOCKETS),
            ],
            Self::HttpV1 => &[
                (Wire, NO_WIRE),
                (Streams, BUFFERED),
                (Trailers, NO_TRAILERS),
                (AnyMethod, METHODS),
                (PathEscapes, "API Gateway decodes the path"),
                (
                    IllegalTargets,
                    "API Gateway decodes the path, so that escapes cannot be told apart",
                ),
                (QueryEscapes, "API Gateway decodes the query"),
                (QueryOrder, "a map holds the query, the values of one name together"),
                (QueryFlags, "a map holds the query: `a` and `a=` are one, and `?` is none"),
                (AnswerBytes, JSON),
                (LargeAnswers, SIX_MB),
                (WebSockets, NO_WEBSOCKETS),
            ],
            Self::FunctionUrl => &[
                (Wire, NO_WIRE),
                (Streams, BUFFERED),
                (Trailers, NO_TRAILERS),
                (AnyMethod, METHODS),
                (IllegalTargets, "what Lambda's front end makes of them is not documented"),
                (QueryFlags, "rawQueryString is \"\" with and without a `?`"),
                (HeaderLines, "Lambda's front end joins repeated headers by commas"),
                (AnswerLines, "the answer has one string for each name"),
                (AnswerBytes, JSON),
                (LargeAnswers, SIX_MB),
                (WebSockets, NO_WEBSOCKETS),
            ],
            Self::AlbSingle => &[
                (Wire, NO_WIRE),
                (Streams, BUFFERED),
                (Trailers, NO_TRAILERS),
                (AnyMethod, METHODS),
                (IllegalTargets, "the load balancer refuses them"),
                (QueryOrder, "a map holds the query"),
                (QueryRepeats, "the load balancer passes on the last value of a name alone"),
                (QueryFlags, "a map holds the query: `a` and `a=` are one, and `?` is none"),
                (HeaderLines, "the load balancer passes on the last value of a name alone"),
                (HeaderValues, "the load balancer passes on the last value of a name alone"),
                (AnswerLines, "the answer has one string for each name"),
                (AnswerBytes, JSON),
                (LargeAnswers, "the load balancer takes 1 MB of JSON for one answer"),
                (WebSockets, NO_WEBSOCKETS),
            ],
            Self::AlbMulti => &[
                (Wire, NO_WIRE),
                (Streams, BUFFERED),
                (Trailers, NO_TRAILERS),
                (AnyMethod, METHODS),
                (IllegalTargets, "the load balancer refuses them"),
                (QueryOrder, "a map holds the query, the values of one name together"),
                (QueryFlags, "a map holds the query: `a` and `a=` are one, and `?` is none"),
                (AnswerBytes, JSON),
                (LargeAnswers, "the load balancer takes 1 MB of JSON for one answer"),
                (WebSockets, NO_WEBSOCKETS),
            ],
            Self::Lattice => &[
                (Wire, NO_WIRE),
                (Streams, BUFFERED),
                (Trailers, NO_TRAILERS),
                (AnyMethod, METHODS),
                (IllegalTargets, "what VPC Lattice makes of them is not documented"),
                (QueryOrder, "a map holds the query, the values of one name together"),
                (QueryFlags, "a map holds the query: `a` and `a=` are one, and `?` is none"),
                (AnswerBytes, JSON),
                (LargeAnswers, SIX_MB),
                (WebSockets, NO_WEBSOCKETS),
            ],
        }
    }
}

const NO_WIRE: &str = "AWS's front end parses the request";
const BUFFERED: &str = "an answer to this event is posted whole";
const NO_TRAILERS: &str = "an answer has no place for trailers";
const METHODS: &str = "AWS's front end knows the standard methods alone";
const JSON: &str = "an answer is JSON, whose strings are Unicode";
const NO_WEBSOCKETS: &str = "a function has no connection to a client";
const SIX_MB: &str = "Lambda takes 6 MB of JSON for one answer";
