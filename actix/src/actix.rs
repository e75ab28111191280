//! The App around an actix-web application.

use std::panic::resume_unwind;
use std::sync::Arc;

use anyhost_core::{App, Error, Host, Paradigm, Request, Response, async_trait};
use http::StatusCode;
use tokio::sync::oneshot;

use crate::Application;
use crate::queue::Job;
use crate::threads::Threads;

/// An [`Application`] as an App, which every adapter runs.
///
/// Its services are not `Send`, so they live on threads of their own: one per processor that the process
/// may use, one if the host gives the process one request at a time. A request moves to one of them,
/// with its body; its answer moves back.
#[derive(Debug)]
pub struct Actix<A> {
    application: Arc<A>,
    threads: Threads,
}

#[async_trait]
impl<A: Application> App for Actix<A> {
    async fn start(host: &Host) -> Result<Self, Error> {
        let application = Arc::new(A::start(host).await?);
        let count = match host.paradigm() {
            Paradigm::Serverless if host.concurrency() == 1 => 1,
            Paradigm::Serverless | Paradigm::LongRunning => host.resources().whole_cpus(),
        };
        let built = Arc::clone(&application);
        let threads = Threads::start(count, host.max_body(), move || built.app()).await?;
        Ok(Self { application, threads })
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        let (answer, outcome) = oneshot::channel();
        let queue = self.threads.queue();
        let _in_flight = queue.enter();
        queue.push(Job { request, answer }).map_err(|_| stopped())?;
        match outcome.await {
            Ok(Ok(answered)) => answered,
            // Resumed in the task that serves the request, where the host turns a panic of any App into a 500.
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(stopped()),
        }
    }

    async fn migrate(host: &Host) -> Result<(), Error> {
        A::migrate(host).await
    }

    async fn stop(&self) {
        self.application.stop().await;
        self.threads.stop().await;
    }
}

fn stopped() -> Error {
    Error::new(StatusCode::SERVICE_UNAVAILABLE, "the service has stopped")
}
