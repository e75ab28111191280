//! Conversion of one event into a request, and its answer, for tests and tools.

use std::fmt;

use anyhost_core::adapter::{Handler, HostHandles as _};
use anyhost_core::{ConfigError, Context, Error, Host, Request};
use bytes::Bytes;

use crate::environment::Configuration;
use crate::events::{NoRequest, TrustedHeaders, translate};
use crate::invoke::Exchange;

/// Converts an event into the request that the App would get, and names the event's source.
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
/// [`EventError`] if the event is no HTTP request, or one that the adapter would refuse.
pub fn request_of(event: &Bytes) -> Result<(Request, &'static str), EventError> {
    let context = Context::new(Context::fresh_id());
    let translated = translate(event, context, TrustedHeaders::default())
        .map_err(|why| EventError(Why::NoRequest(why)))?;
    let request = translated.request.map_err(|error| EventError(Why::Refused(error)))?;
    Ok((request, translated.shape.name))
}

/// Answers one event as the adapter does with every invocation, without Lambda: the answer is what it would post to the
/// Runtime API in one piece. Unfinished work of the App is waited for, as before a freeze.
///
/// The invocation has no deadline, and `RESPONSE_MODE` does not count. One event is to be answered at a time, as on Lambda.
///
/// # Errors
/// [`EventError`] if the invocation would fail: the event is no HTTP request, or a setting is wrong.
pub async fn answer_event<H: Handler>(
    host: &Host,
    handler: &H,
    event: &Bytes,
) -> Result<Bytes, EventError> {
    let configuration = Configuration::from_settings(host.settings())
        .map_err(|why| EventError(Why::Setting(why)))?;
    host.epoch().advance();
    let running = host.lifecycle().track();
    let context = Context::fresh().with_lifecycle(host.lifecycle().clone());
    let answer = context.clone().within(async {
        let translated = translate(event, context, configuration.trust)
            .map_err(|why| EventError(Why::NoRequest(why)))?;
        let (exchange, request) = Exchange::new(translated, None);
        let response = exchange.respond(host, None, handler, request).await;
        Ok(exchange.encode(response).await)
    });
    let answer = answer.await;
    drop(running);
    host.lifecycle().wait_idle().await;
    host.databases().rest();
    answer
}

/// The error for an event that is not passed to the App.
#[derive(Debug)]
pub struct EventError(Why);

#[derive(Debug)]
enum Why {
    /// The invocation would fail.
    NoRequest(NoRequest),
    /// The client would get a 4xx.
    Refused(Error),
    /// The function would not start.
    Setting(ConfigError),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::NoRequest(why) => fmt::Display::fmt(why, f),
            Why::Refused(error) => fmt::Display::fmt(error, f),
            Why::Setting(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for EventError {}
