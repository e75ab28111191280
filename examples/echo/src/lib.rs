//! An App that answers what it was asked, and every shape of response a host may get wrong.
//!
//! `/r/<shape>` answers one of the shapes of `shapes.rs`, `/r/websocket` is a WebSocket; every other request is answered with what the
//! App saw of it, as JSON: what `seen.rs` says. It needs no database, so it starts anywhere:
//!
//! ```text
//! cargo run -p echo --bin echo-paas
//! curl -i 'localhost:8080/any/path?a=1&a=2' -d body
//! curl -i localhost:8080/r/twocookies
//! ```

mod seen;
mod shapes;
mod websocket;

use anyhost_core::{App, Error, Host, Request, Response, async_trait};

/// The App: it holds nothing, because what it answers depends on the request alone.
#[derive(Debug)]
pub struct Echo;

#[async_trait]
impl App for Echo {
    async fn start(_host: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        match request.uri().path().strip_prefix("/r/") {
            Some("websocket") => websocket::websocket(request, true).await,
            Some("websocket-deaf") => websocket::websocket(request, false).await,
            Some("endless") => Ok(shapes::endless(&request)),
            Some(shape) => shapes::shape(shape).await,
            None => seen::seen(request).await,
        }
    }
}
