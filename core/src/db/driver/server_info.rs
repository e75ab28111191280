//! The facts that a new connection has about itself and its server.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The number of connections that a server accepts, and the limits of this account and this database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections the server takes.
    pub max_connections: usize,
    /// Those of them that an ordinary user cannot have.
    pub reserved: usize,
    /// The most connections of the role or user that this process connects as; `None`: no limit of its own.
    pub account: Option<usize>,
    /// The most connections of the database; `None`: no limit of its own.
    pub database: Option<usize>,
}

/// Which server a connection leads to: a name or a balancer may stand for several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerIdentity {
    /// A hash of the server's description of itself.
    hash: u64,
    /// When it was started by its own clock, in seconds since 1970; zero if the hash covers it.
    started: i64,
}

impl ServerIdentity {
    /// How far apart two readings of the same start may lie: it is the difference of two times in whole seconds.
    const JITTER: u64 = 2;

    #[cfg_attr(not(any(feature = "postgres", feature = "mysql", test)), expect(dead_code))]
    pub(crate) fn new(description: &str, started: i64) -> Self {
        let mut hasher = std::hash::DefaultHasher::new();
        description.hash(&mut hasher);
        Self { hash: hasher.finish(), started }
    }

    /// Whether both are one run of one server.
    pub(crate) fn is(self, other: Self) -> bool {
        self.hash == other.hash && self.started.abs_diff(other.started) <= Self::JITTER
    }
}

/// The server's id of a connection. It means nothing on another server, nor after a restart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackendId {
    pub(crate) server: ServerIdentity,
    pub(crate) number: i64,
}

/// The facts that a new connection has about itself and its server.
#[derive(Clone, Debug, Default)]
pub struct ServerInfo {
    pub(crate) limits: Option<Limits>,
    /// Open connections of the server, of all its clients.
    pub(crate) used: Option<usize>,
    /// Whether the server refuses writes: a standby, or a primary that was demoted.
    pub(crate) read_only: bool,
    /// The server's id of this connection; `None` if a pooler stands before it, or the server does not identify
    /// itself.
    pub(crate) backend: Option<BackendId>,
    /// Whether the server goes on with a statement after the connection was closed.
    pub(crate) survives_close: bool,
    /// Whether the server reads backslashes in strings in another way than by default.
    pub(crate) unusual_backslashes: bool,
    /// How long the server keeps an idle connection; `None`: for ever, or not known.
    pub(crate) idle_timeout: Option<Duration>,
    /// Set to true, it ends the statement that the connection's own thread runs (SQLite).
    pub(crate) interrupt: Option<Arc<AtomicBool>>,
}

impl ServerInfo {
    /// Whether more than four fifths of the server's connections are in use: one that is kept now is missing
    /// elsewhere.
    pub(crate) fn is_crowded(&self) -> bool {
        let (Some(limits), Some(used)) = (self.limits, self.used) else { return false };
        let usable = limits.max_connections.saturating_sub(limits.reserved);
        used.saturating_mul(5) > usable.saturating_mul(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_itself_until_it_is_started_again() {
        let one = ServerIdentity::new("a", 1_000);
        assert!(one.is(ServerIdentity::new("a", 1_001)));
        assert!(!one.is(ServerIdentity::new("a", 1_060)));
        assert!(!one.is(ServerIdentity::new("b", 1_000)));
    }
}
