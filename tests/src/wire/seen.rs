//! What the App saw of a request.

use anyhost_test::Response;
use anyhost_test::events::pairs;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

/// An answer of the echo.
pub trait EchoAnswer {
    /// What the App saw of the request.
    fn seen(self) -> SeenRequest;
}

impl EchoAnswer for Response {
    #[track_caller]
    fn seen(self) -> SeenRequest {
        SeenRequest::parse(&self.expect(200).body)
    }
}

/// What the App saw of a request, as the echo answers it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenRequest {
    /// The method.
    pub method: String,
    /// The raw path.
    pub path: String,
    /// The raw query.
    pub query: Option<String>,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(deserialize_with = "from_base64")]
    pub body: Vec<u8>,
    /// The client's address.
    pub client_ip: Option<String>,
    /// `http` or `https`.
    pub scheme: String,
    /// The host the client asked for.
    pub host: Option<String>,
    /// The request's id.
    pub request_id: String,
    /// The W3C trace parent under which it runs.
    pub trace_parent: String,
}

impl SeenRequest {
    /// Out of the echo's JSON.
    #[track_caller]
    #[must_use]
    pub fn parse(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(seen) => seen,
            Err(error) => panic!("{error}, in {}", String::from_utf8_lossy(body)),
        }
    }

    /// The values of a header, one for each line, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(own, _)| own == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The values of a header whether it came as several lines or as one with commas.
    #[must_use]
    pub fn listed(&self, name: &str) -> Vec<&str> {
        self.all(name).into_iter().flat_map(|line| line.split(',')).map(str::trim).collect()
    }

    /// The one value of a header.
    #[track_caller]
    #[must_use]
    pub fn one(&self, name: &str) -> &str {
        let values = self.all(name);
        assert_eq!(values.len(), 1, "`{name}` must be there once, in {:?}", self.headers);
        values[0]
    }

    /// The names and values of the query, decoded, in order.
    #[must_use]
    pub fn pairs(&self) -> Vec<(String, String)> {
        pairs(self.query.as_deref().unwrap_or_default())
    }
}

fn from_base64<'de, D: Deserializer<'de>>(field: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(field)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}
