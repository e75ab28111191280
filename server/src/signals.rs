//! The signals that tell a process to stop.

use std::io;

use anyhost_core::{Exit, Failure};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The moment at which the host tells this process to stop: SIGTERM or SIGINT, which mean the same.
///
/// The signals are caught from the call on, not from the first poll. A second one ends the process at
/// once: who sends it has decided that waiting is over. SIGHUP, which would end a process that does not
/// catch it, is none of these: nothing is reloaded, and the log says so.
///
/// # Errors
/// [`Exit::Bind`] where the operating system allows no signal handler.
pub fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut stop = Stop::catch().map_err(|error| {
        Failure::new(Exit::Bind, format!("cannot catch SIGTERM and SIGINT: {error}"))
    })?;
    let mut hangup = signal(SignalKind::hangup())
        .map_err(|error| Failure::new(Exit::Bind, format!("cannot catch SIGHUP: {error}")))?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::info!("SIGHUP: there is nothing to reload");
        }
    });
    Ok(async move {
        let name = stop.next().await;
        tracing::info!("{name}: stopping");
        tokio::spawn(async move {
            let name = stop.next().await;
            tracing::warn!("{name} again: ending at once");
            std::process::exit(Exit::Aborted.code().into());
        });
    })
}

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
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
