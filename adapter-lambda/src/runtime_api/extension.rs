//! An internal extension that does nothing: Lambda sends SIGTERM only to an environment that has one.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;
use lambda_http::lambda_runtime::streaming::Body;

use super::connection::Connection;
use super::{Endpoint, Fault, request};

/// How long a start waits for the registration: on AWS it takes a millisecond, and some emulators have no
/// such API.
const PATIENCE: Duration = Duration::from_secs(1);

const NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");

/// Registers the extension; to be called before the first poll. Where it fails, this process will be
/// killed without a word and serves as well.
pub(crate) async fn register(endpoint: &Endpoint) {
    match tokio::time::timeout(PATIENCE, announce(endpoint)).await {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => {
            tracing::warn!("no extension, so no SIGTERM before the end: {fault}");
        }
        Err(_) => tracing::warn!("no extension, so no SIGTERM before the end: no reply in 1 s"),
    }
}

async fn announce(endpoint: &Endpoint) -> Result<(), Fault> {
    let mut connection = Connection::new(endpoint.clone());
    let uri = endpoint.uri("/2020-01-01/extension/register");
    // Subscribed to nothing: a subscriber would be part of every invocation.
    let body = Body::from(Bytes::from_static(b"{\"events\":[]}"));
    let mut register = request(endpoint, Method::POST, uri, body);
    register.headers_mut().insert(NAME, HeaderValue::from_static("anyhost"));
    register
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let reply = connection.call(register).await?;
    if !reply.status().is_success() {
        return Err(Fault::Status(reply.status()));
    }
    let identifier = reply.headers().get(IDENTIFIER).cloned();
    let identifier = identifier.ok_or(Fault::Missing("lambda-extension-identifier"))?;
    reply.into_body().collect().await.map_err(Fault::Http)?;
    let mut wait = request(
        endpoint,
        Method::GET,
        endpoint.uri("/2020-01-01/extension/event/next"),
        Body::empty(),
    );
    wait.headers_mut().insert(IDENTIFIER, identifier);
    // Lambda waits for every extension to ask for its next event; this one never gets any.
    tokio::spawn(async move {
        if let Err(fault) = connection.call(wait).await {
            tracing::debug!("the extension is gone: {fault}");
        }
    });
    Ok(())
}
