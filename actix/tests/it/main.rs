//! An actix-web application as every host sees it: behind core's `answer`, like any App.

mod bodies;
mod callers;
mod database;
mod ecosystem;
mod errors;
mod handlers;
mod limits;
mod start;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use anyhost_actix::{Actix, Application};
use anyhost_core::adapter::answer;
use anyhost_core::{App, Body, Context, Host, Paradigm, Request, Resources, Response, Settings};
use http::{HeaderName, HeaderValue, Method};

/// How long a test waits for a condition before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes an application of an expression for its `actix_web::App`.
macro_rules! application {
    ($name:ident, $app:expr) => {
        struct $name;

        #[anyhost_core::async_trait]
        impl anyhost_actix::Application for $name {
            async fn start(_host: &anyhost_core::Host) -> Result<Self, anyhost_core::Error> {
                Ok(Self)
            }

            fn app(&self) -> anyhost_actix::BoxedApp {
                $app.into()
            }
        }
    };
}
use application;

/// A host with this many processors.
fn host(cpus: usize, settings: &[(&str, &str)]) -> Host {
    let resources = Resources { cpus: cpus as f64, memory: None };
    let settings = Settings::from_pairs(settings.iter().copied());
    let host = Host::builder(Paradigm::LongRunning, "test").resources(resources);
    host.settings(settings).build().expect("valid settings")
}

/// An application that was started on a host; a clone is the same one.
struct RunningApp<A>(Arc<(Actix<A>, Host)>);

impl<A> Clone for RunningApp<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: Application> RunningApp<A> {
    async fn start() -> Self {
        Self::on(host(1, &[])).await
    }

    async fn on(host: Host) -> Self {
        let app = Actix::start(&host).await.expect("the application starts");
        Self(Arc::new((app, host)))
    }

    async fn send(&self, mut request: Request) -> Response {
        let (app, host) = &*self.0;
        answer(app, host.max_body(), &mut request).await
    }

    async fn get(&self, target: &str) -> Response {
        self.send(get(target)).await
    }

    /// Sends a request from a task of its own.
    fn begin(&self, request: Request) -> tokio::task::JoinHandle<Response> {
        let running = self.clone();
        tokio::spawn(async move { running.send(request).await })
    }

    async fn stop(&self) {
        self.0.0.stop().await;
    }
}

fn get(target: &str) -> Request {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = target.parse().expect("a target");
    request.extensions_mut().insert(Context::fresh());
    request
}

fn post(target: &str, kind: &'static str, body: impl Into<Body>) -> Request {
    let mut request = with(get(target), "content-type", kind);
    *request.method_mut() = Method::POST;
    *request.body_mut() = body.into();
    request
}

fn with(mut request: Request, name: &'static str, value: &str) -> Request {
    let value = HeaderValue::from_str(value).expect("a value");
    request.headers_mut().append(HeaderName::from_static(name), value);
    request
}

async fn text(response: Response) -> String {
    let bytes = response.into_body().bytes().await.expect("a whole body");
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Waits until a condition holds.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < until, "never: {what}");
        // Time passes: between two looks.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Fails the test if the future does not finish within the patience of these tests.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it takes no longer")
}
