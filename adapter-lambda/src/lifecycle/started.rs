//! An App that has started or is starting.

use anyhost_core::adapter::{Exit, Factory, Failure, Handler, HostHandles as _, start};
use anyhost_core::{Host, Phase};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinHandle;

/// An App and its start, which may outlast Lambda's init and end in the first invocation.
#[derive(Debug)]
pub(crate) struct AppStart<H> {
    task: Mutex<JoinHandle<Result<H, Failure>>>,
    outcome: OnceCell<Result<H, Failure>>,
}

impl<H: Handler> AppStart<H> {
    /// Begins the start.
    pub(crate) fn begin(factory: Factory<H>, host: Host) -> Self {
        let task = tokio::spawn(async move {
            let outcome = start(factory, &host).await;
            if outcome.is_ok() {
                host.advance(Phase::Ready);
            }
            outcome
        });
        Self { task: Mutex::new(task), outcome: OnceCell::new() }
    }

    /// The App, once it has started.
    pub(crate) async fn app(&self) -> Result<&H, &Failure> {
        let outcome = self.outcome.get_or_init(async || {
            // Polled in place: a caller that is cancelled here leaves the handle for the next one.
            match (&mut *self.task.lock().await).await {
                Ok(outcome) => outcome,
                Err(error) => Err(Failure::new(Exit::Start, error)),
            }
        });
        outcome.await.as_ref()
    }

    /// The App, if its start has succeeded.
    pub(super) fn if_started(&self) -> Option<&H> {
        self.outcome.get()?.as_ref().ok()
    }
}
