//! A client that does not take what is sent, and how long it may go on like that.

use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use super::Connection;
use crate::Config;

/// A client that does not take what is sent.
#[derive(Clone, Copy)]
pub(super) struct Blocked {
    begun: Instant,
    /// When it last took something.
    since: Instant,
    /// Bytes that it took since the beginning.
    taken: u64,
}

impl Blocked {
    /// Returns when its time is over.
    pub(super) fn end(&self, config: &Config) -> Instant {
        let end = self.since + config.send_timeout;
        let slow = config.min_body_rate.patience(self.taken);
        slow.map_or(end, |slow| end.min(self.begun + slow))
    }
}

impl Connection {
    /// The client did not take what was written.
    pub(in crate::connection) fn blocked(&self) {
        let now = Instant::now();
        self.lock_blocked().get_or_insert(Blocked { begun: now, since: now, taken: 0 });
    }

    /// The client took so many bytes, having been blocked before.
    pub(in crate::connection) fn took(&self, bytes: usize) {
        if let Some(blocked) = &mut *self.lock_blocked() {
            blocked.since = Instant::now();
            blocked.taken += bytes as u64;
        }
    }

    /// The client has taken everything.
    pub(in crate::connection) fn caught_up(&self) {
        *self.lock_blocked() = None;
    }

    pub(super) fn lock_blocked(&self) -> MutexGuard<'_, Option<Blocked>> {
        // Nothing panics while the lock is held.
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
