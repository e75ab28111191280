//! The signals that end a process.

use anyhost_core::adapter::{Exit, Failure};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, which Lambda sends, and SIGINT, which a terminal does.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    interrupted: bool,
}

/// The meaning of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Finish the running invocation, then end.
    Graceful,
    /// End at once: a second SIGINT. A further SIGTERM changes nothing.
    Immediate,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::new(Exit::Bind, format!("no signals: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            interrupted: false,
        })
    }

    /// Returns what is ready at the first signal from now on.
    pub(crate) fn first() -> Result<impl Future<Output = Stop>, Failure> {
        let mut signals = Self::new()?;
        Ok(async move { signals.next().await })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::Graceful,
            _ = self.interrupt.recv() => match std::mem::replace(&mut self.interrupted, true) {
                true => Stop::Immediate,
                false => Stop::Graceful,
            },
        }
    }
}
