//! The smallest program: says hello, and `/slow` says it after 300 milliseconds.

use std::time::Duration;

use anyhost_core::{App, Body, Error, Host, Request, Response, async_trait};

struct Hello;

#[async_trait]
impl App for Hello {
    async fn start(_host: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        if request.uri().path() == "/slow" {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Ok(Response::new(Body::from("hello")))
    }
}

fn main() -> std::process::ExitCode {
    anyhost_lambda::run::<Hello>()
}
