//! Capabilities that a door may lack.

/// Something that a test may need of a door, and that not every door can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// The client's bytes are parsed by this workspace's server, not by a front end.
    Wire,
    /// The client receives the body while the App is still producing it.
    Streams,
    /// Nothing is sent until the body is complete, so that a body that fails can still become a 500.
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
    /// A name without `=`, an empty field, or an empty query.
    QueryFlags,
    /// Repeated headers as lines of their own.
    HeaderLines,
    /// All values of repeated headers, possibly joined by commas.
    HeaderValues,
    /// Repeated response headers other than Set-Cookie as lines of their own.
    AnswerLines,
    /// Response header values that are not UTF-8.
    AnswerBytes,
    /// Responses of more than 6 MB in the platform's encoding.
    LargeAnswers,
    /// A limit on the size of responses.
    AnswerLimit,
    /// Headers that belong to one connection.
    HopHeaders,
    /// An upgrade to another protocol.
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

/// A capability that a door lacks, and the reason. Only limits of the platform are listed: a fault of the adapter
/// itself is a failing case.
pub type Lack = (Capability, &'static str);
