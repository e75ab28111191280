//! The connections of a pool in numbers: those of this moment, and what became of the earlier ones.

use crate::histogram::Times;

/// The connections of one pool at one moment, and what has been counted since it was opened.
///
/// [`metrics`](Self::metrics) gives the same under OpenTelemetry's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The name of the pool: the server's address, its port and the database, without a user or a password.
    pub pool: String,
    /// The kind of database under OpenTelemetry's name for it: `postgresql`, `mysql`, `sqlite`.
    pub system: &'static str,
    /// Connections that are open or being opened.
    pub open: usize,
    /// Idle connections.
    pub idle: usize,
    /// Connections in use.
    pub in_use: usize,
    /// Callers that wait for one.
    pub waiting: usize,
    /// Callers that wait for their turn to write, on SQLite, which lets one transaction write at a time.
    pub waiting_to_write: usize,
    /// The most connections that may be open.
    pub max: usize,
    /// The fewest connections that are kept open.
    pub warm: usize,
    /// Connections that have been opened.
    pub created: u64,
    /// Connections that have been closed, and why.
    pub closed: CloseCounts,
    /// Connections that were closed because their session was changed, by the kind of statement that did it.
    pub changes: Vec<(&'static str, u64)>,
    /// Callers that got no connection in their time.
    pub timeouts: u64,
    /// Callers that were refused without a wait: the queue was full, the server away for long.
    pub refused: u64,
    /// Connections that were held for longer than `Plan::leak_threshold`, and named in the log.
    pub leaks: u64,
    /// Pings: round trips that checked whether a connection is alive.
    pub pings: u64,
    /// How long successful attempts to connect took.
    pub create_time: Times,
    /// How long callers waited for a connection; an idle connection counts as zero.
    pub wait_time: Times,
    /// How long connections were held.
    pub use_time: Times,
}

/// Connections that have been closed, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseCounts {
    /// It was as old as a connection may become.
    pub lifetime: u64,
    /// It was idle for longer than the idle timeout.
    pub idle: u64,
    /// Something begun on it was not finished.
    pub dirty: u64,
    /// A statement had changed its session, or may have; see [`Stats::changes`].
    pub changed: u64,
    /// It broke while it was used.
    pub lost: u64,
    /// It did not answer a ping.
    pub silent: u64,
    /// A sibling showed that none of its age can be used: the server went away, or takes no more writes.
    pub outdated: u64,
    /// The server had few connections left, and this process was about to be frozen.
    pub crowded: u64,
    /// The pool was closed.
    pub drained: u64,
}

impl CloseCounts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.reasons().iter().map(|(_, count)| count).sum()
    }

    /// Each count with the name of its reason.
    #[must_use]
    pub fn reasons(&self) -> [(&'static str, u64); 9] {
        let Self { lifetime, idle, dirty, changed, lost, silent, outdated, crowded, drained } =
            *self;
        [
            ("lifetime", lifetime),
            ("idle", idle),
            ("dirty", dirty),
            ("changed", changed),
            ("lost", lost),
            ("silent", silent),
            ("outdated", outdated),
            ("crowded", crowded),
            ("drained", drained),
        ]
    }
}
