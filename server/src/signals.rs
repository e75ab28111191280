//! The signals that tell a process to stop, or to read again what may have changed.

use std::io;

use anyhost_core::adapter::{Exit, Failure};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The moment at which the host tells this process to stop: SIGTERM or SIGINT, which mean the same.
///
/// The signals are caught from the call on, not from the first poll. A second SIGINT ends the process at
/// once: a person at a terminal does not want to wait any longer. A further SIGTERM is only logged: platforms
/// and process managers send several.
///
/// # Errors
/// [`Exit::Bind`] if the operating system allows no signal handler.
pub fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut stop = Stop::catch().map_err(|error| {
        Failure::new(Exit::Bind, format!("cannot catch SIGTERM and SIGINT: {error}"))
    })?;
    Ok(async move {
        let name = stop.next().await;
        tracing::info!("{name}: stopping");
        tokio::spawn(async move {
            let mut interrupted = name == SIGINT;
            loop {
                let name = stop.next().await;
                if name == SIGINT && std::mem::replace(&mut interrupted, true) {
                    tracing::warn!("a second SIGINT: ending at once");
                    std::process::exit(Exit::Aborted.code().into());
                }
                tracing::info!(
                    "{name}: stopping already; a second SIGINT ends the process at once"
                );
            }
        });
    })
}

const SIGINT: &str = "SIGINT";

struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => SIGINT,
        }
    }
}

/// SIGHUP, which would end a process that does not catch it: a closed terminal, or an operator who wants
/// files to be read again.
#[derive(Debug)]
pub struct Hangups(Signal);

impl Hangups {
    pub(crate) fn catch() -> Result<Self, Failure> {
        signal(SignalKind::hangup())
            .map(Self)
            .map_err(|error| Failure::new(Exit::Bind, format!("cannot catch SIGHUP: {error}")))
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            // The runtime is going away; nothing comes any more.
            std::future::pending::<()>().await;
        }
    }

    /// Says in the log, at each, that there is nothing to reload: for a host whose settings cannot change.
    pub async fn ignore(mut self) {
        loop {
            self.next().await;
            tracing::info!("SIGHUP: there is nothing to reload");
        }
    }
}
