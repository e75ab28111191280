//! The form of an answer that each source expects.

/// The form of an answer that one source expects.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The source's name, for log lines.
    pub(crate) name: &'static str,
    /// The member that holds the headers.
    pub(crate) headers: Headers,
    /// Whether the answer must have `statusDescription`.
    pub(crate) describes_status: bool,
    /// Whether the source accepts a streamed answer.
    pub(crate) streams: bool,
    /// The largest answer that the source accepts, encoded, in bytes.
    pub(crate) limit: usize,
}

/// The member of an answer that holds its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Headers {
    /// `headers`: one string for each name, several values joined by commas. Cookies must not be joined and have a member
    /// of their own.
    Joined(Cookies),
    /// `headers`: a string for each name, or a list if it has several values.
    Mixed,
    /// `multiValueHeaders`: a list for each name.
    Lists,
}

/// The member of an answer that holds its cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookies {
    /// `cookies`, a list of its own.
    Own,
    /// With the other headers, each under another spelling of the name: `set-cookiE`, `set-cookie`.
    Spellings,
}

/// Lambda's limit for an answer in one piece: 6 MiB.
const LAMBDA: usize = 6 * 1024 * 1024;

/// A load balancer's limit: 1 MiB.
const LOAD_BALANCER: usize = 1024 * 1024;

impl Shape {
    pub(crate) const REST: Self = Self {
        name: "a REST API",
        headers: Headers::Lists,
        describes_status: false,
        streams: true,
        limit: LAMBDA,
    };
    pub(crate) const HTTP_1: Self =
        Self { name: "an HTTP API with payload format 1.0", streams: false, ..Self::REST };
    pub(crate) const FUNCTION_URL: Self = Self {
        name: "a Function URL",
        headers: Headers::Joined(Cookies::Own),
        describes_status: false,
        streams: true,
        limit: LAMBDA,
    };
    pub(crate) const HTTP_2: Self =
        Self { name: "an HTTP API", streams: false, ..Self::FUNCTION_URL };
    pub(crate) const ALB_MULTI: Self = Self {
        name: "a load balancer with multi-value headers",
        headers: Headers::Lists,
        describes_status: true,
        streams: false,
        limit: LOAD_BALANCER,
    };
    pub(crate) const ALB_SINGLE: Self = Self {
        name: "a load balancer",
        headers: Headers::Joined(Cookies::Spellings),
        ..Self::ALB_MULTI
    };
    pub(crate) const LATTICE: Self = Self {
        name: "VPC Lattice",
        headers: Headers::Mixed,
        describes_status: true,
        streams: false,
        limit: LAMBDA,
    };
}
