//! What a new connection learns of itself and its server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How many connections a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections the server takes.
    pub max_connections: usize,
    /// Those of them that an ordinary user cannot have.
    pub reserved: usize,
}

/// What a new connection learnt.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    pub(crate) limits: Option<Limits>,
    /// Connections of the server that are in use, whoever uses them.
    pub(crate) used: Option<usize>,
    /// Whether the server refuses writes: a standby, or a primary that was demoted.
    pub(crate) read_only: bool,
    /// The server's id of this connection, where no pooler stands before it.
    pub(crate) id: Option<i64>,
    /// Whether closing it does not end what the server does for it.
    pub(crate) outlived: bool,
    /// How long the server keeps a connection that nobody uses; `None`: for ever, or not known.
    pub(crate) forgotten: Option<Duration>,
    /// Ends what the connection's own thread is doing (SQLite).
    pub(crate) interrupt: Option<Interrupt>,
}

/// Ends the statement that a connection's own thread runs: nobody waits for it any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(crate) fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Admission {
    /// Whether four fifths of the server's connections are in use: whoever keeps one now keeps it from
    /// somebody else.
    pub(crate) fn is_crowded(&self) -> bool {
        let (Some(limits), Some(used)) = (self.limits, self.used) else { return false };
        let usable = limits.max_connections.saturating_sub(limits.reserved);
        used.saturating_mul(5) > usable.saturating_mul(4)
    }
}
