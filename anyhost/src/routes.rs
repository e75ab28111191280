//! Which route of an axum `Router` answers a request: its pattern, for the metrics of the host.

use std::any::Any;

use anyhost_core::Context;
use axum::Router;
use axum::extract::MatchedPath;
use tower::util::MapRequestLayer;

/// Has a `Router` tell its host which route answers a request, so that `/metrics` tells routes apart (`http_route`).
///
/// [`serve`](crate::serve) does it by itself. An [`App`](crate::App) that holds a `Router` calls it once, after its last
/// route.
///
/// ```
/// use axum::{Router, routing::get};
///
/// let router: Router = Router::new().route("/notes/{id}", get(async || "a note"));
/// let router = anyhost::name_routes(router);
/// # let _ = router;
/// ```
pub fn name_routes(router: Router) -> Router {
    router.layer(MapRequestLayer::new(|request: axum::extract::Request| {
        if let Some(context) = request.extensions().get::<Context>()
            && context.wants_route()
            && let Some(pattern) = request.extensions().get::<MatchedPath>()
        {
            context.set_route(pattern.as_str());
        }
        request
    }))
}

/// Applies [`name_routes`] to a service if it is a `Router`, and returns any other service unchanged.
pub(crate) fn name_routes_of<S: 'static>(service: S) -> S {
    let mut service = Some(service);
    if let Some(router) = (&mut service as &mut dyn Any).downcast_mut::<Option<Router>>() {
        *router = router.take().map(name_routes);
    }
    service.expect("it is put back")
}
