//! Background jobs: work of the process beside its requests.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::{Host, Paradigm, Phase};

/// Runs a job from the moment the process is ready until it drains.
pub(crate) fn spawn(host: &Host, name: String, job: impl Future<Output = ()> + Send + 'static) {
    if host.paradigm() == Paradigm::Serverless {
        tracing::warn!(
            "the background job {name} is not run: this host freezes the process between requests"
        );
        return;
    }
    let life = host.life().clone();
    tokio::spawn(async move {
        // The verb `check` starts the App too, and never becomes ready.
        life.reached(Phase::Ready).await;
        let drained = life.reached(Phase::Draining);
        let outcome = tokio::select! {
            biased;
            () = drained => {
                tracing::info!("the background job {name} was ended by the drain");
                return;
            }
            outcome = AssertUnwindSafe(job).catch_unwind() => outcome,
        };
        match outcome {
            Ok(()) => tracing::warn!("the background job {name} ended, and the process goes on"),
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
        host.life().advance(Phase::Ready);
        assert_eq!(begins.recv().await, Some(()));
        assert_eq!(Arc::strong_count(&held), 2);
        host.life().advance(Phase::Draining);
        assert!(released(&held).await, "the drain ends it");
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
        host.life().advance(Phase::Ready);
        assert!(released(&held).await);
        assert_eq!(host.life().phase(), Phase::Ready);
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
        host.life().advance(Phase::Ready);
        assert!(released(&held).await, "it is dropped at once");
    }
}
