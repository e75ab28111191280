//! The smallest function: says hello, and logs it.

use anyhost_core::{App, Body, Error, Host, Request, Response, async_trait};

struct Hello;

#[async_trait]
impl App for Hello {
    async fn start(_: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn call(&self, _: Request) -> Result<Response, Error> {
        tracing::info!("somebody says hello");
        Ok(Response::new(Body::from("hello")))
    }
}

fn main() -> std::process::ExitCode {
    anyhost_lambda::run::<Hello>()
}
