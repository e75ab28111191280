//! One event as a request, for tests and tools that hold events.

use std::fmt;

use anyhost_core::{Context, Error, Request};
use bytes::Bytes;

use crate::events::{NoRequest, Trust, translate};

/// The request that an App would be given for an event, and the name of the source that made the event.
///
/// This is what the adapter does with every invocation, for a test of an App on captured events:
///
/// ```
/// use bytes::Bytes;
///
/// let event = Bytes::from_static(br#"{
///     "rawPath": "/notes/7",
///     "rawQueryString": "all=1",
///     "headers": {"host": "abc.lambda-url.eu-central-1.on.aws"},
///     "requestContext": {
///         "domainName": "abc.lambda-url.eu-central-1.on.aws",
///         "http": {"method": "GET", "sourceIp": "203.0.113.7"}
///     }
/// }"#);
/// let (request, source) = anyhost_lambda::request_of(&event)?;
/// assert_eq!(request.uri(), "/notes/7?all=1");
/// assert_eq!(source, "a Function URL");
/// # Ok::<(), anyhost_lambda::EventError>(())
/// ```
///
/// # Errors
/// [`EventError`] where the event is no HTTP request, or one that the adapter would refuse.
pub fn request_of(event: &Bytes) -> Result<(Request, &'static str), EventError> {
    let context = Context::new(Context::fresh_id());
    let translated = translate(event, context, Trust::default())
        .map_err(|why| EventError(Why::NoRequest(why)))?;
    let request = translated.request.map_err(|error| EventError(Why::Refused(error)))?;
    Ok((request, translated.shape.name))
}

/// An event that no App is given.
#[derive(Debug)]
pub struct EventError(Why);

#[derive(Debug)]
enum Why {
    /// The invocation would fail.
    NoRequest(NoRequest),
    /// The client would get a 4xx.
    Refused(Error),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::NoRequest(why) => fmt::Display::fmt(why, f),
            Why::Refused(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for EventError {}
