//! The smallest actix-web application on `anyhost-lambda`.

use std::process::ExitCode;

use actix_web::{App, web};
use anyhost_actix::{Actix, Application, BoxedApp};
use anyhost_core::{Error, Host, async_trait};

struct Hello;

#[async_trait]
impl Application for Hello {
    async fn start(_: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    fn app(&self) -> BoxedApp {
        App::new().default_service(web::to(async || "Hello, World!")).into()
    }
}

fn main() -> ExitCode {
    anyhost_lambda::run::<Actix<Hello>>()
}
