//! tower in both directions: any `tower::Service` answers for an App, and an App is a `tower::Service`.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::poll_fn;
use tower_service::Service;

use crate::http::DEFAULT_MAX_BODY;
use crate::{App, Body, Error, Request, Response, answer};

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

/// An App as a `tower::Service`: for tower's middleware, for a route of an axum `Router`, and for tests.
///
/// It answers as a host would: an error becomes a problem, a panic a 500, and a request body of more than 6 MiB
/// a 413. A clone is the same App.
///
/// ```
/// use anyhost_core::{App, AppService, Body, Error, Host, Request, Response, async_trait};
/// use axum::Router;
///
/// struct Hello;
///
/// #[async_trait]
/// impl App for Hello {
///     async fn start(_host: &Host) -> Result<Self, Error> {
///         Ok(Hello)
///     }
///
///     async fn call(&self, _request: Request) -> Result<Response, Error> {
///         Ok(Response::new(Body::from("hello")))
///     }
/// }
///
/// let router: Router = Router::new().route_service("/hello", AppService::new(Hello));
/// ```
#[derive(Debug)]
pub struct AppService<A>(Arc<A>);

impl<A: App> AppService<A> {
    /// The service of an App that has been started.
    pub fn new(app: A) -> Self {
        Self(Arc::new(app))
    }
}

impl<A> Clone for AppService<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A, B> Service<http::Request<B>> for AppService<A>
where
    A: App,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let app = Arc::clone(&self.0);
        Box::pin(
            async move { Ok(answer(&*app, DEFAULT_MAX_BODY, &mut request.map(Body::new)).await) },
        )
    }
}
