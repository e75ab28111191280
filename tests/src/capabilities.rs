//! What a door cannot carry: the one list, each entry with its reason, and how many skips it makes.
//!
//! Only what is outside our power stands here. What an adapter of ours does wrong is a failing case.
//!
//! Long because every door lists what it cannot carry, each with its reason.

use crate::cases;
use crate::doors::{Example, Kind};

/// Something a case may need of a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// The client's bytes reach a parser of ours.
    Wire,
    /// The client gets bytes while the App still makes others.
    Streams,
    /// Nothing is sent until the body is whole, so that a body that fails can still be a 500.
    Buffers,
    /// Trailers after the body.
    Trailers,
    /// Methods that are not in RFC 9110 or 5789.
    AnyMethod,
    /// Escapes in the path as the client wrote them.
    PathEscapes,
    /// Targets with characters that RFC 3986 does not allow.
    IllegalTargets,
    /// Escapes in the query as the client wrote them.
    QueryEscapes,
    /// The order of fields of the query, where a name is repeated with others between.
    QueryOrder,
    /// All values of a name that is repeated in the query.
    QueryRepeats,
    /// A name without `=`, an empty field, an empty query.
    QueryFlags,
    /// Repeated headers as lines of their own.
    HeaderLines,
    /// All values of repeated headers, be it joined by commas.
    HeaderValues,
    /// Repeated response headers other than Set-Cookie as lines of their own.
    AnswerLines,
    /// Response header values that are not UTF-8.
    AnswerBytes,
    /// Answers of more than 6 MB as the platform counts them.
    LargeAnswers,
    /// A limit on the size of answers.
    AnswerLimit,
    /// Headers that belong to one connection.
    HopHeaders,
    /// An offer to go on with another protocol.
    Upgrades,
    /// A WebSocket by HTTP/1.1.
    WebSockets,
    /// No WebSocket.
    NoWebSockets,
    /// The address of the client.
    ClientAddress,
    /// A trusted front end that says who the client is.
    FrontEnd,
}

/// What a door cannot carry, and why.
#[must_use]
pub const fn lacks(door: Kind) -> &'static [(Capability, &'static str)] {
    use Capability::*;
    match door {
        Kind::Direct => &[
            (Wire, "the request is a value, nobody parses it"),
            (Upgrades, "there is no connection to go on with"),
            (WebSockets, "there is no connection to go on with"),
            (Buffers, "the client has the head before the body is made"),
            (AnswerLimit, "there is none"),
            (FrontEnd, "there is none"),
        ],
        Kind::PaasTcp | Kind::VmTcp | Kind::VmInherited | Kind::VmTls => &[
            (Buffers, "the client has the head before the body is made"),
            (
                Trailers,
                "over HTTP/1.1 they are sent to a client alone that asks for them (TE: trailers)",
            ),
            (AnswerLimit, "there is none"),
            (NoWebSockets, "there are some"),
            (FrontEnd, "there is none before this socket"),
        ],
        Kind::VmProxy => &[
            (Buffers, "the client has the head before the body is made"),
            (
                Trailers,
                "over HTTP/1.1 they are sent to a client alone that asks for them (TE: trailers)",
            ),
            (AnswerLimit, "there is none"),
            (NoWebSockets, "there are some"),
            (FrontEnd, "the one before this socket speaks in a protocol of its own"),
        ],
        Kind::VmH2c | Kind::VmH2 => &[
            (Wire, "requests are frames, and what they hold is no text"),
            (Buffers, "the client has the head before the body is made"),
            (HopHeaders, "HTTP/2 has none, and forbids them"),
            (Upgrades, "HTTP/2 has none"),
            (WebSockets, "over HTTP/2 it is another request (RFC 8441), which longrun tests"),
            (NoWebSockets, "there are some"),
            (AnswerLimit, "there is none"),
            (FrontEnd, "there is none before this socket"),
        ],
        Kind::VmUnix => &[
            (Buffers, "the client has the head before the body is made"),
            (
                Trailers,
                "over HTTP/1.1 they are sent to a client alone that asks for them (TE: trailers)",
            ),
            (AnswerLimit, "there is none"),
            (NoWebSockets, "there are some"),
            (ClientAddress, "a Unix socket has no peer address"),
            (FrontEnd, "there is none before this socket"),
        ],
        Kind::RestV1 => &[
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
        Kind::HttpV2 => &[
            (Wire, NO_WIRE),
            (Streams, BUFFERED),
            (Trailers, NO_TRAILERS),
            (AnyMethod, METHODS),
            (PathEscapes, "API Gateway decodes the path"),
            (IllegalTargets, "API Gateway decodes the path, so that escapes cannot be told apart"),
            (QueryFlags, "rawQueryString is \"\" with and without a `?`"),
            (HeaderLines, "API Gateway joins repeated headers by commas"),
            (AnswerLines, "the answer has one string for each name"),
            (AnswerBytes, JSON),
            (LargeAnswers, SIX_MB),
            (WebSockets, NO_WEBSOCKETS),
        ],
        Kind::HttpV1 => &[
            (Wire, NO_WIRE),
            (Streams, BUFFERED),
            (Trailers, NO_TRAILERS),
            (AnyMethod, METHODS),
            (PathEscapes, "API Gateway decodes the path"),
            (IllegalTargets, "API Gateway decodes the path, so that escapes cannot be told apart"),
            (QueryEscapes, "API Gateway decodes the query"),
            (QueryOrder, "a map holds the query, the values of one name together"),
            (QueryFlags, "a map holds the query: `a` and `a=` are one, and `?` is none"),
            (AnswerBytes, JSON),
            (LargeAnswers, SIX_MB),
            (WebSockets, NO_WEBSOCKETS),
        ],
        Kind::FunctionUrl => &[
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
        Kind::AlbSingle => &[
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
        Kind::AlbMulti => &[
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
        Kind::Lattice => &[
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

const NO_WIRE: &str = "AWS's front end parses the request";
const BUFFERED: &str = "an answer to this event is posted whole";
const NO_TRAILERS: &str = "an answer has no place for trailers";
const METHODS: &str = "AWS's front end knows the standard methods alone";
const JSON: &str = "an answer is JSON, whose strings are Unicode";
const NO_WEBSOCKETS: &str = "a function has no connection to a client";
const SIX_MB: &str = "Lambda takes 6 MB of JSON for one answer";

/// The reason why a door cannot carry something, where it cannot.
#[must_use]
pub fn lack(door: Kind, capability: Capability) -> Option<&'static str> {
    lacks(door).iter().find(|(lacked, _)| *lacked == capability).map(|(_, reason)| *reason)
}

/// Something that actix-web does to messages, whatever the door.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// What it is.
    pub what: &'static str,
    /// Why it is so.
    pub reason: &'static str,
    /// What the application therefore cannot carry.
    pub costs: Option<Capability>,
}

/// What actix-web itself changes of requests and responses.
pub const ACTIX: &[Difference] = &[
    Difference {
        what: "trailers, of requests and of responses, are not carried",
        reason: "actix-web's bodies are bytes alone",
        costs: Some(Capability::Trailers),
    },
    Difference {
        what: "WebSockets are refused with 501",
        reason: "actix-web takes them up on connections of its own server",
        costs: Some(Capability::WebSockets),
    },
    Difference {
        what: "headers of different names change their order, in requests and in responses",
        reason: "actix-web keeps headers in a hash map; the values of one name stay in order",
        costs: None,
    },
];

/// How many cases the actix-web echo skips for what actix-web changes, of those that some door carries.
pub const ACTIX_SKIPS: usize = 3;

/// What an App cannot carry whatever the door, because of the framework it is written in.
#[must_use]
pub const fn differences(example: Example) -> &'static [Difference] {
    match example {
        Example::EchoActix => ACTIX,
        Example::Echo | Example::Notes => &[],
    }
}

/// The reason why an App cannot carry something, where it cannot.
#[must_use]
pub fn costs(example: Example, capability: Capability) -> Option<&'static str> {
    let cost = differences(example).iter().find(|difference| difference.costs == Some(capability));
    cost.map(|difference| difference.reason)
}

/// How many cases an App skips for the framework it is written in, of those that some door carries.
#[must_use]
pub fn skipped_for(example: Example) -> usize {
    let carried = |case: &&cases::Case| {
        Kind::ALL.iter().any(|door| !case.needs.iter().any(|need| lack(*door, *need).is_some()))
    };
    let own = cases::all().filter(|case| case.example.variants().contains(&example));
    let costs = |case: &&cases::Case| case.needs.iter().any(|need| costs(example, *need).is_some());
    own.filter(carried).filter(costs).count()
}

/// How many cases each door skips. A change here is a change of what we promise.
pub const SKIPS: [(Kind, usize); Kind::ALL.len()] = [
    (Kind::Direct, 53),
    (Kind::PaasTcp, 5),
    (Kind::VmTcp, 5),
    (Kind::VmUnix, 6),
    (Kind::VmInherited, 5),
    (Kind::VmProxy, 5),
    (Kind::VmTls, 5),
    (Kind::VmH2c, 54),
    (Kind::VmH2, 54),
    (Kind::RestV1, 70),
    (Kind::HttpV2, 75),
    (Kind::HttpV1, 79),
    (Kind::FunctionUrl, 66),
    (Kind::AlbSingle, 75),
    (Kind::AlbMulti, 64),
    (Kind::Lattice, 64),
];
