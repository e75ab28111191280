//! The smallest function as a program for every host: `anyhost` chooses the adapter when it starts.

use std::process::ExitCode;

use anyhost::{App, Body, Error, Host, Request, Response, async_trait};

struct Hello;

#[async_trait]
impl App for Hello {
    async fn start(_: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn call(&self, _: Request) -> Result<Response, Error> {
        Ok(Response::new(Body::from("Hello, World!")))
    }
}

fn main() -> ExitCode {
    anyhost::run::<Hello>()
}
