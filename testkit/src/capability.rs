//! What a door may be unable to carry.

/// Something that a test may need of a door, and that not every door can carry.
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
    /// The order of fields of the query, if a name is repeated with others between.
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

/// What a door cannot carry, and why. Only what is outside of the adapter's power: what the adapter itself does wrong
/// is a failing case.
pub type Lack = (Capability, &'static str);
