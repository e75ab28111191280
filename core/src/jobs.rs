//! Background jobs: work of the process beside its requests.

use std::fmt::Display;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::{Host, Paradigm, Phase};

/// What a background job returns: nothing, or a result whose error is logged.
pub trait JobOutput {
    /// The error as text, if this is one.
    fn into_error(self) -> Option<String>;
}

impl JobOutput for () {
    fn into_error(self) -> Option<String> {
        None
    }
}

impl<T, E: Display> JobOutput for Result<T, E> {
    fn into_error(self) -> Option<String> {
        // With `#` an error of the crate anyhow has its causes in its text.
        self.err().map(|error| format!("{error:#}"))
    }
}

/// For a job that is a `loop`: it returns `!`, whose name stable Rust reserves for functions.
impl JobOutput for <fn() -> ! as Returns>::Output {
    fn into_error(self) -> Option<String> {
        match self {}
    }
}

#[doc(hidden)]
pub trait Returns {
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

/// Runs a job from the moment the process is ready until it drains.
pub(crate) fn spawn<J>(host: &Host, name: String, job: J)
where
    J: Future<Output: JobOutput> + Send + 'static,
{
    if host.paradigm() == Paradigm::Serverless {
        tracing::warn!(
            "the background job {name} is not run: this host freezes the process between requests"
        );
        return;
    }
    let lifecycle = host.lifecycle().clone();
    tokio::spawn(async move {
        // The verb `check` starts the App too, and never becomes ready.
        lifecycle.wait_for(Phase::Ready).await;
        let drained = lifecycle.wait_for(Phase::Draining);
        let outcome = tokio::select! {
            biased;
            () = drained => {
                tracing::info!("the background job {name} was ended by the drain");
                return;
            }
            outcome = AssertUnwindSafe(job).catch_unwind() => outcome.map(JobOutput::into_error),
        };
        match outcome {
            Ok(None) => tracing::warn!("the background job {name} ended, and the process goes on"),
            Ok(Some(error)) => {
                tracing::error!("the background job {name} failed; the process goes on: {error}");
            }
            Err(_) => tracing::error!("the background job {name} panicked; the process goes on"),
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn host(paradigm: Paradigm) -> Host {
        Host::builder(paradigm, "test").build().expect("no settings")
    }

    /// Lets other tasks run until a job no longer holds this.
    async fn released(held: &Arc<()>) -> bool {
        for _ in 0..1000 {
            if Arc::strong_count(held) == 1 {
                return true;
            }
            tokio::task::yield_now().await;
        }
        false
    }

    #[tokio::test]
    async fn a_job_runs_when_the_process_is_ready_and_ends_at_the_drain() {
        let host = host(Paradigm::LongRunning);
        let (began, mut begins) = tokio::sync::mpsc::channel(1);
        let held = Arc::new(());
        let job = Arc::clone(&held);
        host.spawn("cleaner", async move {
            let _held = job;
            let _ = began.send(()).await;
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        assert!(begins.try_recv().is_err(), "not before the process is ready");
        host.lifecycle().advance(Phase::Ready);
        assert_eq!(begins.recv().await, Some(()));
        assert_eq!(Arc::strong_count(&held), 2);
        host.lifecycle().advance(Phase::Draining);
        assert!(released(&held).await, "the drain ends it");
    }

    #[tokio::test]
    async fn a_job_may_return_a_result_or_never() {
        let host = host(Paradigm::LongRunning);
        let held = Arc::new(());
        let (fails, loops) = (Arc::clone(&held), Arc::clone(&held));
        host.spawn("worker", async move {
            let _held = fails;
            Err::<(), _>("the queue is away")
        });
        host.spawn("loop", async move {
            let _held = loops;
            loop {
                tokio::task::yield_now().await;
            }
        });
        host.lifecycle().advance(Phase::Ready);
        host.lifecycle().advance(Phase::Draining);
        assert!(released(&held).await);
        let failed = Err::<(), _>("the queue is away").into_error();
        assert_eq!(failed.as_deref(), Some("the queue is away"));
        assert_eq!(Ok::<_, String>(3).into_error(), None);
    }

    #[tokio::test]
    async fn a_job_that_panics_ends_alone() {
        let host = host(Paradigm::LongRunning);
        let held = Arc::new(());
        let job = Arc::clone(&held);
        host.spawn("broken", async move {
            let _held = job;
            panic!("on purpose");
        });
        host.lifecycle().advance(Phase::Ready);
        assert!(released(&held).await);
        assert_eq!(host.lifecycle().phase(), Phase::Ready);
    }

    #[tokio::test]
    async fn a_serverless_host_runs_no_job() {
        let host = host(Paradigm::Serverless);
        let held = Arc::new(());
        let job = Arc::clone(&held);
        host.spawn("cleaner", async move {
            let _held = job;
            std::future::pending::<()>().await;
        });
        host.lifecycle().advance(Phase::Ready);
        assert!(released(&held).await, "it is dropped at once");
    }
}
