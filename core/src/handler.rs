//! A handler answers requests once it has started: an App or a tower service.

use std::sync::Arc;

use bytes::Bytes;
use tower_service::Service;

use crate::{App, Error, Request, Response, call_service};

/// Answers requests, and is stopped when the process ends. Every [`App`] is a handler.
pub trait Handler: Send + Sync + 'static {
    /// Whether it is of no use without WebSockets, as [`App::NEEDS_WEBSOCKETS`] says.
    const NEEDS_WEBSOCKETS: bool = false;

    /// Answers one request, as [`App::call`] does.
    fn handle(&self, request: Request) -> impl Future<Output = Result<Response, Error>> + Send;

    /// Releases what the start acquired, as [`App::stop`] does.
    fn stop(&self) -> impl Future<Output = ()> + Send;
}

impl<A: App> Handler for A {
    const NEEDS_WEBSOCKETS: bool = <A as App>::NEEDS_WEBSOCKETS;

    fn handle(&self, request: Request) -> impl Future<Output = Result<Response, Error>> + Send {
        self.call(request)
    }

    fn stop(&self) -> impl Future<Output = ()> + Send {
        App::stop(self)
    }
}

impl<H: Handler> Handler for Arc<H> {
    const NEEDS_WEBSOCKETS: bool = H::NEEDS_WEBSOCKETS;

    fn handle(&self, request: Request) -> impl Future<Output = Result<Response, Error>> + Send {
        H::handle(self, request)
    }

    fn stop(&self) -> impl Future<Output = ()> + Send {
        H::stop(self)
    }
}

/// A `tower::Service` as a [`Handler`].
#[derive(Debug)]
pub struct ServiceHandler<S>(pub(crate) S);

impl<S, B> Handler for ServiceHandler<S>
where
    S: Service<Request, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn handle(&self, request: Request) -> impl Future<Output = Result<Response, Error>> + Send {
        call_service(&self.0, request)
    }

    async fn stop(&self) {}
}
