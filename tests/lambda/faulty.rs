//! An App on Lambda that fails as its settings and its requests tell it.

#![expect(clippy::print_stdout, reason = "what it says is what a test waits for")]

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhost_core::{App, Body, Context, Error, Host, Request, Response, async_trait};
use futures_util::{StreamExt, stream};
use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};

fn main() -> ExitCode {
    anyhost_lambda::run::<Faulty>()
}

struct Faulty {
    stop: Duration,
    /// A file for which gated requests wait: the test makes it when it has seen what must come before.
    gate: PathBuf,
}

#[async_trait]
impl App for Faulty {
    async fn start(host: &Host) -> Result<Self, Error> {
        let settings = host.settings();
        tokio::time::sleep(settings.get("START_TAKES")?.unwrap_or_default()).await;
        match settings.text("START") {
            Some("panics") => panic!("the start panics"),
            Some("fails") => Err(Error::internal("the start fails")),
            _ => Ok(Self {
                stop: settings.get("STOP_TAKES")?.unwrap_or_default(),
                gate: settings.text("GATE").unwrap_or_default().into(),
            }),
        }
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        let context = Context::get(&request).cloned().expect("every door gives a context");
        let wait = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(0);
        let wait = Duration::from_millis(wait);
        Ok(match request.uri().path() {
            "/wait" => {
                println!("waiting");
                tokio::time::sleep(wait).await;
                Response::new(Body::from("waited"))
            }
            "/gated" => {
                println!("at the gate");
                opened(&self.gate).await;
                Response::new(Body::from("passed"))
            }
            "/gated-chunks" => {
                let gate = self.gate.clone();
                let rest = stream::once(async move {
                    opened(&gate).await;
                    Ok::<_, Infallible>("two")
                });
                Response::new(Body::stream(stream::iter([Ok("one ")]).chain(rest.boxed())))
            }
            "/host" => Response::new(Body::from(context.host().unwrap_or("none").to_owned())),
            "/tenant" => {
                tracing::info!("which tenant?");
                Response::new(Body::from(context.tenant_id().unwrap_or("none").to_owned()))
            }
            "/remaining" => {
                let left = context.remaining().map(|left| left.as_millis().to_string());
                Response::new(Body::from(left.unwrap_or_else(|| "unknown".into())))
            }
            "/trace" => {
                let trace = context.trace_parent().to_owned();
                Response::new(Body::from(trace))
            }
            "/event" => Response::new(Body::from(context.event().unwrap_or_default().to_owned())),
            "/after" => {
                let gate = self.gate.clone();
                context.wait_until(async move {
                    opened(&gate).await;
                    println!("the work after the response is done");
                });
                Response::new(Body::from("before"))
            }
            "/chunks" => {
                let chunks =
                    stream::iter(["one ", "two ", "three"]).then(move |chunk| async move {
                        tokio::time::sleep(wait).await;
                        Ok::<_, Infallible>(chunk)
                    });
                let mut response = Response::new(Body::stream(chunks));
                for cookie in ["a=1", "b=2"] {
                    let value = HeaderValue::from_static(cookie);
                    response.headers_mut().append(SET_COOKIE, value);
                }
                *response.status_mut() = StatusCode::CREATED;
                response
            }
            "/stream-panics" => {
                let chunks = stream::iter(0..2).map(|number| match number {
                    0 => Ok::<_, Infallible>("part"),
                    _ => panic!("the stream panics"),
                });
                Response::new(Body::stream(chunks))
            }
            _ => Response::new(Body::from("ok")),
        })
    }

    async fn stop(&self) {
        tokio::time::sleep(self.stop).await;
        println!("stopped");
    }
}

/// Waits until a file is there.
async fn opened(gate: &Path) {
    while !gate.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
