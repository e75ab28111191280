//! The trait a user implements.

use async_trait::async_trait;

use crate::{Error, Host, Request, Response};

/// A web service that answers requests without knowing what runs it.
///
/// # For authors of Apps
///
/// An App never reads the environment, never listens on a socket and never handles a signal: what it
/// may know stands in [`Host`] (once per process) and in [`Context`](crate::Context) (once per request,
/// in the request's extensions). Any `tower::Service`, so any axum `Router`, answers requests through
/// [`call_service`](crate::call_service).
///
/// ```
/// use anyhost_core::{App, Body, Error, Host, Request, Response, async_trait};
///
/// struct Hello;
///
/// #[async_trait]
/// impl App for Hello {
///     async fn start(_host: &Host) -> Result<Self, Error> {
///         Ok(Hello)
///     }
///
///     async fn call(&self, request: Request) -> Result<Response, Error> {
///         Ok(Response::new(Body::from(format!("hello from {}", request.uri().path()))))
///     }
/// }
/// ```
///
/// A long-running host calls one App from many tasks at once; a serverless host usually one request at
/// a time. Both call the same value, so state in `&self` is shared and needs a lock or an atomic.
///
/// # For authors of adapters
///
/// Call an App only through [`answer`](crate::answer): it turns errors and panics into responses and
/// applies the rules that every door shares.
#[async_trait]
pub trait App: Send + Sync + Sized + 'static {
    /// Whether this App is of no use without WebSockets. If there are none, as on AWS Lambda, the verb `check` says so,
    /// and requests for one get 501.
    const NEEDS_WEBSOCKETS: bool = false;

    /// The code outside the handler: runs once per process, before the first request.
    ///
    /// # Errors
    /// An error ends the process with [`Exit::Start`](crate::Exit::Start), or
    /// [`Exit::Config`](crate::Exit::Config) when its cause is a setting; on Lambda it is reported to
    /// `/runtime/init/error` as well.
    async fn start(host: &Host) -> Result<Self, Error>;

    /// Answers one request.
    ///
    /// # Errors
    /// An error becomes an `application/problem+json` response with the error's status. Its cause is
    /// logged under the request id and never sent.
    async fn call(&self, request: Request) -> Result<Response, Error>;

    /// Brings the database schema up to date; run by the `migrate` verb, never by a request. By default it does
    /// nothing, and says so in the log.
    ///
    /// # Errors
    /// An error ends the process with [`Exit::Migrate`](crate::Exit::Migrate).
    async fn migrate(_host: &Host) -> Result<(), Error> {
        tracing::info!("this App has no migrations: nothing was done");
        Ok(())
    }

    /// Releases what `start` acquired; bounded by the host's grace.
    async fn stop(&self) {}
}
