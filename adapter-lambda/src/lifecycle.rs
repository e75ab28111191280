//! The life of a Lambda environment: init, one invocation after the other, and the end.

mod preparation;
mod signals;
mod started;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhost_core::adapter::{Exit, Factory, Failure, Handler, HostHandles as _, Telemetry};
use anyhost_core::{Host, Phase};
use lambda_http::lambda_runtime::Diagnostic;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::invoke::{self, Outcome};
use crate::runtime_api::{Ahead, Backoff, Endpoint, Fault, Invocation, Registration, RuntimeApi};
pub(crate) use preparation::Preparation;
pub(crate) use signals::Signals;
use signals::Stop;
pub(crate) use started::AppStart;

/// How long an event may take from Lambda's own process to this one.
const ON_ITS_WAY: Duration = Duration::from_millis(20);

/// How long sending the telemetry of an invocation without a deadline may take.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the last telemetry may take if a stop took the whole grace: Lambda gives 300 ms.
const LAST_FLUSH_TIMEOUT: Duration = Duration::from_millis(50);

/// Serves until Lambda sends SIGTERM or the Runtime API is gone. `prepare`, which runs while the extension registers,
/// does everything that can fail because of a wrong setting.
///
/// # Errors
/// [`Failure`] with the exit code of the phase that failed. A failed start has been reported to Lambda.
pub(crate) async fn serve<H: Handler>(
    factory: Factory<H>,
    endpoint: Endpoint,
    ahead: Option<Ahead>,
    prepare: impl FnOnce() -> Result<Preparation, Failure>,
) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let begun = Instant::now();
    let mut registration = Registration::begin(RuntimeApi::new(endpoint.clone()).with(ahead)).await;
    let prepared = match prepare() {
        Ok(prepared) => prepared,
        Err(failure) => {
            let (mut api, _) = registration.end().await?;
            api.fail_init(&diagnostic(&failure)).await;
            return Err(failure);
        }
    };
    let Preparation { host, telemetry, .. } = prepared.clone();
    let started = Arc::new(AppStart::begin(factory, host.clone()));
    let lived =
        live(endpoint, prepared, Arc::clone(&started), begun, registration, &mut signals).await;
    let stopping = Instant::now();
    let outcome = match lived {
        Ok(ended) => ended.and(stop(&host, &started).await),
        Err(failure) => Err(failure),
    };
    if let Some(telemetry) = telemetry {
        telemetry.observe_last();
        telemetry.end(host.grace().saturating_sub(stopping.elapsed()).max(LAST_FLUSH_TIMEOUT));
    }
    outcome
}

/// Answers invocations, from the init to the moment at which the process is to stop, and returns why it is.
///
/// # Errors
/// [`Failure`] if the init failed: then there is nothing to stop.
async fn live<H: Handler>(
    endpoint: Endpoint,
    prepared: Preparation,
    started: Arc<AppStart<H>>,
    begun: Instant,
    mut registration: Registration,
    signals: &mut Signals,
) -> Result<Result<(), Failure>, Failure> {
    let Preparation { host, configuration, .. } = &prepared;
    let init = async {
        let start = async {
            match configuration.init_budget {
                Some(budget) => timeout_at(begun + budget, started.app()).await.ok(),
                None => Some(started.app().await),
            }
        };
        tokio::join!(start, registration.end())
    };
    let (outcome, registered) = tokio::select! {
        outcome = init => outcome,
        _ = signals.next() => {
            host.advance(Phase::Draining);
            return Ok(Ok(()));
        }
    };
    let (mut first, extension) = registered?;
    match outcome {
        Some(Ok(_)) => {}
        Some(Err(failure)) => {
            let failure = Failure::new(failure.exit(), failure);
            first.fail_init(&diagnostic(&failure)).await;
            return Err(failure);
        }
        None => tracing::warn!(
            "the start takes longer than Lambda's init allows; it goes on in the first invocation"
        ),
    }

    let mut workers = JoinSet::new();
    let others = (1..configuration.concurrency).map(|_| RuntimeApi::new(endpoint.clone()));
    for api in std::iter::once(first).chain(others) {
        // Boxed: a spawned future is moved several times, each time into memory that causes page faults in a cold process.
        workers.spawn(Box::pin(work(prepared.clone(), Arc::clone(&started), api)));
    }
    if let Some(extension) = extension {
        tokio::spawn(extension.wait());
    }
    let mut ended = Ok(());
    loop {
        tokio::select! {
            worker = workers.join_next() => match worker {
                None => break,
                Some(worker) => {
                    // If one loop cannot continue, none can: all use the same Runtime API.
                    host.advance(Phase::Draining);
                    let outcome = worker
                        .unwrap_or_else(|panic| Err(Failure::new(Exit::Start, panic)));
                    ended = ended.and(outcome);
                }
            },
            stop = signals.next() => match stop {
                Stop::Graceful => {
                    if host.lifecycle().phase() >= Phase::Draining {
                        tracing::info!("stopping already; a second SIGINT ends the process at once");
                    }
                    host.advance(Phase::Draining);
                }
                Stop::Immediate => {
                    workers.abort_all();
                    ended = Err(Failure::new(Exit::Aborted, "stopped by a second SIGINT"));
                }
            }
        }
    }
    Ok(ended)
}

/// A failure in the form in which it is reported to Lambda.
pub(crate) fn diagnostic(failure: &Failure) -> Diagnostic {
    let kind = match failure.exit() {
        Exit::Config => "Runtime.InvalidConfiguration",
        Exit::Unavailable => "Runtime.DependencyUnavailable",
        _ => "Runtime.StartFailed",
    };
    Diagnostic { error_type: kind.into(), error_message: failure.to_string() }
}

/// Handles one invocation after the other until the process drains.
async fn work<H: Handler>(
    prepared: Preparation,
    started: Arc<AppStart<H>>,
    mut api: RuntimeApi,
) -> Result<(), Failure> {
    let mut backoff = Backoff::default();
    let host = &prepared.host;
    loop {
        let Some(next) = next(host, &mut api).await else { return Ok(()) };
        match next {
            Ok(invocation) => {
                backoff.reset();
                let alone = host.concurrency() == 1;
                if alone {
                    // The process may have been frozen since the last invocation.
                    host.epoch().advance();
                }
                let deadline = invocation.deadline;
                let running = host.lifecycle().track();
                let outcome = invoke::invoke(&prepared, &started, &mut api, invocation).await;
                drop(running);
                if let Outcome::NeverStarted(failure) = outcome {
                    return Err(failure);
                }
                if alone {
                    finish(host, deadline).await;
                    if let Some(telemetry) = &prepared.telemetry {
                        flush(host, telemetry.clone(), deadline).await;
                    }
                    host.databases().rest();
                }
            }
            Err(Fault::NoEvent) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(fault) => {
                tracing::warn!("{fault}");
                let again = tokio::select! {
                    again = backoff.wait() => again,
                    () = host.lifecycle().wait_for(Phase::Draining) => return Ok(()),
                };
                if !again {
                    return Err(Failure::new(Exit::Unavailable, fault));
                }
            }
        }
    }
}

/// Waits for the next invocation; `None` once the process drains.
async fn next(host: &Host, api: &mut RuntimeApi) -> Option<Result<Invocation, Fault>> {
    let mut next = pin!(api.next());
    tokio::select! {
        biased;
        next = &mut next => Some(next),
        // Lambda may have handed out an event at this moment, which must be answered: wait for it briefly.
        () = host.lifecycle().wait_for(Phase::Draining) => timeout(ON_ITS_WAY, next).await.ok(),
    }
}

/// Waits for work that outlasts its response, because the process may be frozen at the next poll.
async fn finish(host: &Host, deadline: Option<std::time::Instant>) {
    let finished = async {
        tokio::select! {
            () = host.lifecycle().wait_idle() => {}
            // The drain waits for what is left.
            () = host.lifecycle().wait_for(Phase::Draining) => {}
        }
    };
    match deadline {
        None => finished.await,
        Some(deadline) => {
            if timeout_at(Instant::from_std(deadline), finished).await.is_err() {
                tracing::warn!("work that outlasts its response was not over at the deadline");
            }
        }
    }
}

/// Sends the telemetry of an invocation before the process may be frozen. The client has its response already; a collector
/// that does not answer delays the next invocation until the deadline of this one at most.
async fn flush(host: &Host, telemetry: Telemetry, deadline: Option<std::time::Instant>) {
    let flushed = async {
        tokio::select! {
            _ = tokio::task::spawn_blocking(move || telemetry.flush()) => {}
            // The last flush has its own bound.
            () = host.lifecycle().wait_for(Phase::Draining) => {}
        }
    };
    let end = deadline.map_or_else(|| Instant::now() + FLUSH_TIMEOUT, Instant::from_std);
    if timeout_at(end, flushed).await.is_err() {
        tracing::warn!("the telemetry of this invocation was not sent before its deadline");
    }
}

/// Stops the App and closes its connections, within the grace.
async fn stop<H: Handler>(host: &Host, started: &AppStart<H>) -> Result<(), Failure> {
    let end = Instant::now() + host.grace();
    let ended = async {
        host.lifecycle().wait_idle().await;
        if let Some(app) = started.if_started() {
            app.stop().await;
        }
    };
    // Half of the time, so that a stop that hangs does not cost the databases theirs.
    if timeout(host.grace() / 2, ended).await.is_err() {
        tracing::warn!("the App's stop took too long and was given up");
    }
    let left = end.saturating_duration_since(Instant::now());
    // A little less than what is left, so that this ends by itself.
    let within = left.saturating_sub(Duration::from_millis(20));
    if timeout_at(end, host.databases().close(within)).await.is_err() {
        tracing::warn!("the databases could not be closed in time");
    }
    host.advance(Phase::Stopped);
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhost_core::{App, Error, Paradigm, Request, Response, async_trait};

    use super::*;

    /// An App whose `stop` never returns.
    struct HangingApp;

    #[async_trait]
    impl App for HangingApp {
        async fn start(_host: &Host) -> Result<Self, Error> {
            Ok(Self)
        }

        async fn call(&self, _request: Request) -> Result<Response, Error> {
            Ok(Response::default())
        }

        async fn stop(&self) {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_that_hangs_leaves_the_databases_half_of_the_grace() {
        let grace = Duration::from_millis(250);
        let host = Host::builder(Paradigm::Serverless, "test").grace(grace).build().expect("valid");
        let started = AppStart::<HangingApp>::begin(Factory::app(), host.clone());
        started.app().await.expect("it starts");
        let begun = Instant::now();
        stop(&host, &started).await.expect("it stops");
        assert!(begun.elapsed() < grace, "{:?}", begun.elapsed());
        assert_eq!(host.lifecycle().phase(), Phase::Stopped);
    }
}
