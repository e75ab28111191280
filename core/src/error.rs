//! The error an App answers with, and how it leaves as problem+json.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::{Body, BodyError, ConfigError, Response, db};

/// The media type of error responses (RFC 9457).
const PROBLEM_JSON: &str = "application/problem+json";

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a failed request answers: a status, what the client may know, and the cause it may not.
///
/// `?` turns any error into a 500 whose cause is logged and not sent. Causes that mean something to a
/// client become its status: a body over the limit 413, a body that breaks off 400, a database that is
/// full or away 503 with `Retry-After`.
///
/// ```
/// use anyhost_core::Error;
/// use http::StatusCode;
///
/// fn age(text: &str) -> Result<u8, Error> {
///     Ok(text.parse::<u8>()?) // a 500: the client learns nothing about the cause
/// }
///
/// fn named_age(text: &str) -> Result<u8, Error> {
///     text.parse().map_err(|cause| {
///         Error::new(StatusCode::BAD_REQUEST, "age is not a number")
///             .with_extension("field", "age")
///             .with_source(cause)
///     })
/// }
///
/// assert_eq!(age("x").unwrap_err().status(), StatusCode::INTERNAL_SERVER_ERROR);
/// assert_eq!(named_age("x").unwrap_err().status(), StatusCode::BAD_REQUEST);
/// ```
///
/// It is no `std::error::Error` itself, so that every other error can convert into it.
pub struct Error(Box<Parts>);

struct Parts {
    status: StatusCode,
    detail: Option<Cow<'static, str>>,
    members: Map<String, Value>,
    headers: HeaderMap,
    cause: Option<Cause>,
}

impl Error {
    /// An error with a status and a text for the client.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::from_status(status);
        error.0.detail = Some(detail.into());
        error
    }

    /// An error with a status and no text: the client gets the status's own name as the title.
    ///
    /// There is no `From<StatusCode>`, since `From` is taken by `?`: it accepts every `std::error::Error`, and Rust
    /// allows no second rule for a type of another crate that could become one.
    #[must_use]
    pub fn from_status(status: StatusCode) -> Self {
        Self(Box::new(Parts {
            status,
            detail: None,
            members: Map::new(),
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// A 500 with a cause that is logged and not sent; unlike `?` it takes boxed errors too.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::caused_by(cause.into())
    }

    /// Adds an extension member (RFC 9457) to the problem, such as the name of the field that is wrong.
    #[must_use]
    pub fn with_extension(mut self, member: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.into(), value.into());
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn with_header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// Says when to try again, in whole seconds of at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        self
    }

    /// Adds the cause, which is logged and never sent.
    #[must_use]
    pub fn with_source(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The status the client gets.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The cause, which is for logs.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }

    /// The error as a response.
    ///
    /// The response remembers the error: the host that sends it logs the cause and adds the request id
    /// to the problem, also if the response has gone through a router or middleware.
    #[must_use]
    pub fn into_response(self) -> Response {
        let mut response = self.render(None);
        response.extensions_mut().insert(ResponseError(Arc::new(self)));
        response
    }

    /// The problem as a response, with the id of the request if it is known.
    pub(crate) fn render(&self, request_id: Option<&str>) -> Response {
        let problem = Problem { error: &self.0, request_id };
        // Strings, numbers and JSON values always serialize.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.0.status;
        *response.headers_mut() = self.0.headers.clone();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
    }

    /// The whole story on one line, for logs: status, detail and the chain of causes.
    pub(crate) fn report(&self) -> String {
        let mut line = self.to_string();
        // A driver's error around one of ours, which is all that an executor can return, says nothing more.
        let ours =
            |cause| find::<db::Error>(cause).map(|own| own as &(dyn std::error::Error + 'static));
        let mut cause = self.source().map(|cause| ours(cause).unwrap_or(cause));
        while let Some(error) = cause {
            let text = error.to_string();
            // Many errors already print their source, which should not stand in the line twice.
            if !line.ends_with(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            // Ours quote the driver's error already; what a setting's error was shown by is quoted too.
            let told = error.is::<ConfigError>()
                || error.downcast_ref::<db::Error>().is_some_and(db::Error::quotes_its_cause);
            cause = error.source().filter(|_| !told);
        }
        line
    }

    fn caused_by(cause: Cause) -> Self {
        let error = match find::<db::Error>(cause.as_ref()) {
            Some(database) => database.to_response(),
            None => match find::<BodyError>(cause.as_ref()) {
                Some(body) => body.to_response(),
                None => Self::from_status(StatusCode::INTERNAL_SERVER_ERROR),
            },
        };
        error.with_source(cause)
    }
}

/// The members of RFC 9457, and ours: an App's own never replace them.
const STANDARD: [&str; 5] = ["type", "title", "status", "detail", "request_id"];

struct Problem<'a> {
    error: &'a Parts,
    request_id: Option<&'a str>,
}

/// By hand: it is the only struct of this crate that becomes JSON, and a derive macro is compiled by every App.
impl Serialize for Problem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Parts { status, detail, members, headers: _, cause: _ } = self.error;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "about:blank")?;
        map.serialize_entry("title", status.canonical_reason().unwrap_or("Error"))?;
        map.serialize_entry("status", &status.as_u16())?;
        if let Some(detail) = detail {
            map.serialize_entry("detail", detail)?;
        }
        for (name, value) in members.iter().filter(|(name, _)| !STANDARD.contains(&name.as_str())) {
            map.serialize_entry(name, value)?;
        }
        if let Some(id) = self.request_id {
            map.serialize_entry("request_id", id)?;
        }
        map.end()
    }
}

/// The error a response was made from.
#[derive(Clone)]
pub(crate) struct ResponseError(pub(crate) Arc<Error>);

/// An axum handler can return `Result<_, Error>`. Such a response goes through routers and layers, and the host still
/// logs the cause and adds the request id.
#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for Error {
    fn into_response(self) -> axum_core::response::Response {
        Self::into_response(self).map(axum_core::body::Body::new)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(cause: E) -> Self {
        Self::caused_by(Box::new(cause))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.detail, &self.0.cause) {
            (Some(detail), _) => f.write_str(detail),
            (None, Some(cause)) => fmt::Display::fmt(cause, f),
            (None, None) => fmt::Display::fmt(&self.0.status, f),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { status, detail, members, headers: _, cause } = &*self.0;
        f.debug_struct("Error")
            .field("status", status)
            .field("detail", detail)
            .field("members", members)
            .field("cause", cause)
            .finish()
    }
}

/// The first error of a type in a chain of causes, looking into `io::Error`, whose own chain skips
/// what it wraps.
pub(crate) fn find<'a, T: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn std::error::Error + 'static)),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(error: &Error) -> Value {
        let response = error.render(Some("r-1"));
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
        let bytes = response.into_body().into_full().expect("a problem is buffered");
        serde_json::from_slice(&bytes).expect("a problem is JSON")
    }

    #[test]
    fn a_cause_is_logged_and_not_sent() {
        let error = Error::from(std::io::Error::other("password is hunter2"));
        assert_eq!(error.report(), "password is hunter2");
        assert_eq!(
            json(&error),
            serde_json::json!({
                "type": "about:blank",
                "title": "Internal Server Error",
                "status": 500,
                "request_id": "r-1",
            })
        );
    }

    #[test]
    fn members_never_replace_the_standard_ones() {
        let error = Error::new(StatusCode::UNPROCESSABLE_ENTITY, "title is empty")
            .with_extension("field", "title")
            .with_extension("status", 200);
        assert_eq!(
            json(&error),
            serde_json::json!({
                "type": "about:blank",
                "title": "Unprocessable Entity",
                "status": 422,
                "detail": "title is empty",
                "field": "title",
                "request_id": "r-1",
            })
        );
    }

    #[test]
    fn a_body_error_keeps_its_status_inside_other_errors() {
        let wrapped = std::io::Error::other(BodyError::too_large(10));
        assert_eq!(Error::from(wrapped).status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
