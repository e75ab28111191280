//! A client that does not take what is sent, and how long it may go on like that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::{AtomicInstant, Connection};
use crate::Config;

/// A client that does not take what is sent.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    begun: AtomicInstant,
    /// When it last took something.
    since: AtomicInstant,
    /// Bytes that it took since the beginning.
    taken: AtomicU64,
}

impl Blocked {
    /// Returns when its time is over; `None` if it takes what is sent.
    pub(super) fn end(&self, opened: Instant, config: &Config) -> Option<Instant> {
        let begun = self.begun.get(opened)?;
        let end = self.since.get(opened).unwrap_or(begun) + config.send_timeout;
        let slow = config.min_body_rate.patience(self.taken.load(Ordering::Relaxed));
        Some(slow.map_or(end, |slow| end.min(begun + slow)))
    }
}

impl Connection {
    /// The client did not take what was written.
    pub(in crate::connection) fn blocked(&self) {
        self.blocked.begun.begin(self.opened);
    }

    /// The client took so many bytes, having been blocked before.
    pub(in crate::connection) fn took(&self, bytes: usize) {
        self.blocked.since.set(self.opened);
        self.blocked.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The client has taken everything.
    pub(in crate::connection) fn caught_up(&self) {
        self.blocked.begun.clear();
        self.blocked.since.clear();
        self.blocked.taken.store(0, Ordering::Relaxed);
    }
}
