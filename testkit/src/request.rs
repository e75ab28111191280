//! A request as a client puts it on the wire.

/// A request: what a client writes, down to the byte.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query as they stand in the request line.
    pub target: String,
    /// Names as the client spells them, and the bytes of the values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, after any transfer coding.
    pub body: Vec<u8>,
    /// Whether the client sends the body in chunks, without saying its length.
    pub chunked: bool,
}

/// A request without a body.
#[must_use]
pub fn request(method: &str, target: &str) -> Request {
    Request {
        method: method.into(),
        target: target.into(),
        headers: Vec::new(),
        body: Vec::new(),
        chunked: false,
    }
}

/// A GET.
#[must_use]
pub fn get(target: &str) -> Request {
    request("GET", target)
}

/// A HEAD.
#[must_use]
pub fn head(target: &str) -> Request {
    request("HEAD", target)
}

/// A POST of a body.
#[must_use]
pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Request {
    request("POST", target).body(body)
}

/// A PUT of a body.
#[must_use]
pub fn put(target: &str, body: impl Into<Vec<u8>>) -> Request {
    request("PUT", target).body(body)
}

/// A PATCH of a body.
#[must_use]
pub fn patch(target: &str, body: impl Into<Vec<u8>>) -> Request {
    request("PATCH", target).body(body)
}

/// A DELETE with a body, which is rare and allowed.
#[must_use]
pub fn delete(target: &str, body: impl Into<Vec<u8>>) -> Request {
    request("DELETE", target).body(body)
}

impl Request {
    /// Adds a header after those that are there.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sets a body of JSON, with its content type.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the body in chunks.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// The path as it stands in the request line.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The query as it stands in the request line, without its `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The first value of a header, in whatever case its name is spelt.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_slice())
    }

    /// Whether a client says the length of this body: it does for every body it does not chunk, and
    /// for an empty one if the method expects a body.
    #[must_use]
    pub fn says_its_length(&self) -> bool {
        let expects = ["POST", "PUT", "PATCH"].contains(&self.method.as_str());
        !self.chunked && (expects || !self.body.is_empty())
    }
}
