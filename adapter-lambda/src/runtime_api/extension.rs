//! An internal extension that does nothing: Lambda sends SIGTERM only to an environment that has one.

use std::time::Duration;

use anyhost_core::adapter::{Exit, Failure};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;
use lambda_http::lambda_runtime::streaming::Body;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;

use super::connection::Connection;
use super::{Endpoint, Fault, RuntimeApi, request};

/// How long a start waits for the registration: on AWS it takes a millisecond, and some emulators have no
/// such API.
const PATIENCE: Duration = Duration::from_secs(1);

const NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");

/// An extension that is being registered, on the connection that polls afterwards: Lambda takes no extension
/// once it has been polled, so the two cannot overtake each other.
#[derive(Debug)]
pub(crate) struct Registration(JoinHandle<(RuntimeApi, Result<Extension, Fault>)>);

impl Registration {
    /// Sends the registration, so that the reply is on its way while this process prepares itself.
    pub(crate) async fn begin(mut api: RuntimeApi) -> Self {
        let task = tokio::spawn(Box::pin(async move {
            let outcome = timeout(PATIENCE, Extension::register(&mut api.connection)).await;
            (api, outcome.unwrap_or(Err(Fault::NoReply(PATIENCE))))
        }));
        // Yield as often as the runtime needs to connect to an address on this machine and to write. If
        // that is too few, the request is written when this process waits for something else.
        for _ in 0..3 {
            yield_now().await;
        }
        know_processor();
        Self(task)
    }

    /// Waits for the reply and returns the connection for polling, and the extension. Without an extension the
    /// process serves as well, but gets no SIGTERM before it is killed.
    ///
    /// # Errors
    /// [`Failure`] if registering panicked.
    pub(crate) async fn end(&mut self) -> Result<(RuntimeApi, Option<Extension>), Failure> {
        let ended = (&mut self.0).await;
        let (api, outcome) = ended.map_err(|panic| Failure::new(Exit::Start, panic))?;
        let extension = outcome.inspect_err(|fault| {
            tracing::warn!("no extension, so no SIGTERM before the end: {fault}")
        });
        Ok((api, extension.ok()))
    }
}

/// Has the standard library detect the processor's features, which it does once and the parser of replies needs: each
/// of ten CPUID instructions takes microseconds in a virtual machine, and here no request waits for them.
fn know_processor() {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    std::hint::black_box(std::is_x86_feature_detected!("avx2"));
}

/// A registered extension.
#[derive(Debug)]
pub(crate) struct Extension {
    endpoint: Endpoint,
    identifier: HeaderValue,
}

impl Extension {
    async fn register(connection: &mut Connection) -> Result<Self, Fault> {
        let endpoint = connection.endpoint().clone();
        let uri = endpoint.uri("/2020-01-01/extension/register");
        // Subscribed to no event: a subscriber would take part in every invocation.
        let body = Body::from(Bytes::from_static(b"{\"events\":[]}"));
        let mut register = request(&endpoint, Method::POST, uri, body);
        let headers = register.headers_mut();
        headers.insert(NAME, HeaderValue::from_static("anyhost"));
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let reply = connection.call(register).await?;
        let (head, body) = reply.into_parts();
        // Read to its end, so that the connection can be used again.
        body.collect().await.map_err(Fault::Http)?;
        if !head.status.is_success() {
            return Err(Fault::Status(head.status));
        }
        let identifier = head.headers.get(IDENTIFIER).cloned();
        let identifier = identifier.ok_or(Fault::Missing("lambda-extension-identifier"))?;
        Ok(Self { endpoint, identifier })
    }

    /// Asks for the extension's next event, which never comes: Lambda ends the init when every extension
    /// and the process have asked.
    pub(crate) async fn wait(self) {
        let Self { endpoint, identifier } = self;
        // Yield to the first poll, which is begun at the same time: it ends the init.
        yield_now().await;
        let uri = endpoint.uri("/2020-01-01/extension/event/next");
        let mut wait = request(&endpoint, Method::GET, uri, Body::empty());
        wait.headers_mut().insert(IDENTIFIER, identifier);
        if let Err(fault) = Connection::new(endpoint).call(wait).await {
            tracing::debug!("the extension is gone: {fault}");
        }
    }
}
