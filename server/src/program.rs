//! A process that is a server: its verbs, its runtime, its exit code.

use std::io::Write as _;
use std::pin::Pin;
use std::time::Duration;

use anyhost_core::Host;
use anyhost_core::adapter::{
    Exit, Factory, Failure, Handler, LogLevel, Logs, Telemetry, Verb, check, migrate,
    to_stderr_unless, until_stopped,
};

use crate::descriptors::room_for;
use crate::drain::Drained;
use crate::runtime::runtime;
use crate::{Config, Hangups, Listener, Server, stop_signal};

/// How long the last telemetry may take to be sent.
const FLUSH_LEAST: Duration = Duration::from_millis(200);
const FLUSH_MOST: Duration = Duration::from_secs(2);

/// Everything a long-running adapter has found out before the App is asked.
#[derive(Debug)]
pub struct Program {
    /// The host the App is told about.
    pub host: Host,
    /// How the server treats connections and requests.
    pub config: Config,
    /// What is logged and how.
    pub logs: Logs,
}

/// What an adapter sees of its server while it runs.
#[derive(Debug)]
pub struct Running {
    /// The wishes to read again what may have changed.
    pub hangups: Hangups,
    /// The level of its log.
    pub level: LogLevel,
    /// The host of its App.
    pub host: Host,
}

/// What an adapter does as long as its server runs. It ends at the latest when the lifecycle is
/// [`Stopped`](anyhost_core::Phase::Stopped): the process waits for it.
pub type Beside = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Program {
    /// Does what the verb says: serves until told to stop, migrates, or checks and prints what it found.
    ///
    /// `bind` is called for `serve` alone, before the App starts. The future of `beside` runs on the same runtime as
    /// long as the server does: it tells a supervisor how the process is.
    ///
    /// # Errors
    /// [`Failure`] with the exit code of the phase that failed.
    pub fn run<H: Handler>(
        self,
        factory: Factory<H>,
        verb: Verb,
        bind: impl FnOnce() -> Result<Vec<Listener>, Failure>,
        beside: impl FnOnce(Running) -> Beside,
    ) -> Result<Exit, Failure> {
        let Self { host, config, logs } = self;
        config.leaves_time_in(host.grace())?;
        let telemetry = match verb {
            Verb::Serve => Telemetry::from_host(&host)?,
            Verb::Migrate | Verb::Check => None,
        };
        let level = logs.begin(telemetry.as_ref());
        match verb {
            Verb::Serve => {
                let grace = host.grace();
                let own = host.clone();
                let beside = |hangups| beside(Running { hangups, level, host });
                let outcome = serve(own, config, telemetry.clone(), factory, bind, beside);
                if let Some(telemetry) = telemetry {
                    // What the drain has left of the grace, and a moment in any case: it is the last word.
                    let took = outcome.as_ref().map_or(Duration::ZERO, |drained| drained.took);
                    let left = grace.saturating_sub(took);
                    telemetry.end(left.clamp(FLUSH_LEAST, FLUSH_MOST));
                }
                outcome.map(|drained| {
                    let heard = tracing::enabled!(tracing::Level::INFO);
                    to_stderr_unless(heard, || drained.to_string());
                    drained.exit()
                })
            }
            Verb::Migrate => {
                until_stopped(runtime(1)?, stop_signal, migrate(factory, &host))?;
                Ok(Exit::Done)
            }
            Verb::Check => {
                let report = until_stopped(runtime(1)?, stop_signal, check(factory, &host))?;
                // A reader that is gone needs no report.
                let _ = std::io::stdout().write_all(report.as_bytes());
                Ok(Exit::Done)
            }
        }
    }
}

/// Serves until told to stop.
fn serve<H: Handler>(
    host: Host,
    mut config: Config,
    telemetry: Option<Telemetry>,
    factory: Factory<H>,
    bind: impl FnOnce() -> Result<Vec<Listener>, Failure>,
    beside: impl FnOnce(Hangups) -> Beside,
) -> Result<Drained, Failure> {
    config.max_connections = room_for(config.max_connections);
    let listeners = bind()?;
    let workers = config.workers.unwrap_or_else(|| host.resources().whole_cpus());
    let runtime = runtime(workers)?;
    let outcome = runtime.block_on(async {
        let stop = stop_signal()?;
        let beside = tokio::spawn(beside(Hangups::catch()?));
        let server = Server::new(host, config).telemetry(telemetry);
        let server = listeners.into_iter().fold(server, Server::listen);
        let outcome = server.serve(factory, stop).await;
        if outcome.is_ok() {
            // The lifecycle is `Stopped`: the supervisor hears of it, and of phases that passed too fast to be seen.
            let _ = beside.await;
        }
        outcome
    });
    // What an App left running must not hold the process.
    runtime.shutdown_background();
    outcome
}
