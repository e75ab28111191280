//! Any `tower::Service`, so any axum `Router`, as the body of an App.

use bytes::Bytes;
use futures_util::future::poll_fn;
use tower_service::Service;

use crate::{Body, Error, Request, Response};

/// Answers one request with a clone of a `tower::Service`, an axum `Router` for instance.
///
/// ```
/// use anyhost_core::{App, Error, Host, Request, Response, async_trait, call_service};
/// use axum::{Router, routing::get};
///
/// struct Site(Router);
///
/// #[async_trait]
/// impl App for Site {
///     async fn start(_host: &Host) -> Result<Self, Error> {
///         Ok(Site(Router::new().route("/", get(async || "hello"))))
///     }
///
///     async fn call(&self, request: Request) -> Result<Response, Error> {
///         call_service(&self.0, request).await
///     }
/// }
/// ```
///
/// The clone is what tower asks for: readiness belongs to one value, and the one that was polled ready
/// is the one that is called.
///
/// # Errors
/// The service's own error, as a 500 whose cause is logged. An axum `Router` has none.
pub async fn call_service<S, B>(service: &S, request: Request) -> Result<Response, Error>
where
    S: Service<Request, Response = http::Response<B>> + Clone,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut service = service.clone();
    poll_fn(|cx| service.poll_ready(cx)).await.map_err(Error::internal)?;
    let response = service.call(request).await.map_err(Error::internal)?;
    Ok(response.map(Body::new))
}
