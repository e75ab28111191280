//! A program written for another server: `#[tokio::main]`, its own command line, records of the crate `log`,
//! and, if an argument asks for it, its own tracing subscriber, which it may install too late.

use anyhost_core::adapter::{Factory, Verb};
use anyhost_core::{App, Body, Error, Host, Request, Response, async_trait};

struct Ported {
    greeting: String,
    hangs: bool,
}

#[async_trait]
impl App for Ported {
    async fn start(_host: &Host) -> Result<Self, Error> {
        Err(Error::internal("started without what main has read"))
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        match request.uri().path() {
            "/fails" => Err(Error::internal("on purpose")),
            _ => {
                log::warn!(target: "moved::greeting", "a record of the crate log");
                Ok(Response::new(Body::from(self.greeting.clone())))
            }
        }
    }

    async fn stop(&self) {
        if self.hangs {
            std::future::pending::<()>().await;
        }
    }
}

/// Installs a subscriber as web frameworks' examples do, with a filter that names only this program.
fn own_subscriber() {
    tracing_subscriber::fmt().with_env_filter("moved=debug").init();
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|own| own == word);
    if has("--own-subscriber") {
        own_subscriber();
    }
    let (too_late, hangs) = (has("--subscriber-in-start"), has("--hanging-stop"));
    let greeting = words.first().cloned().unwrap_or_default();
    let factory = Factory::app_with(async move |_: &Host| {
        if too_late {
            own_subscriber();
        }
        Ok(Ported { greeting, hangs })
    });
    anyhost_paas::launch(factory.verb(Verb::Serve))
}
