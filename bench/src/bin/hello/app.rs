//! The smallest App.

use anyhost_core::{App, Body, Error, Host, Request, Response, async_trait};

pub(crate) struct Hello;

#[async_trait]
impl App for Hello {
    async fn start(_: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn call(&self, _: Request) -> Result<Response, Error> {
        Ok(Response::new(Body::from("Hello, World!")))
    }
}
