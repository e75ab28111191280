//! Retries of connecting: until when, and with which pauses.

use std::time::Duration;

use tokio::time::Instant;

use super::ConnectFailure;
use crate::db::driver::ConnectErrorKind;
use crate::deadline;

/// The first pause after a failed attempt; each further one may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The longest pause between two attempts, which bounds how late a server's return is noticed.
pub(in crate::db) const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause while the server answers that it is full, at most an eighth of the time that is left: a
/// refusal costs it as much as a connection, so that many clients that retry often keep it from serving any.
pub(super) const LONGEST_WHILE_FULL: Duration = Duration::from_secs(2);

/// Until when connecting is tried again, by what keeps it from succeeding.
#[derive(Clone, Copy, Debug)]
pub(in crate::db) struct RetryDeadline {
    /// While the server answers that it takes no more connections: one may come free.
    pub(in crate::db) full: Instant,
    /// While it cannot be reached.
    pub(in crate::db) away: Instant,
}

impl RetryDeadline {
    pub(in crate::db) fn at(until: Instant) -> Self {
        Self { full: until, away: until }
    }

    pub(super) fn within_request(self) -> Self {
        let Some(deadline) = deadline::current().map(Instant::from_std) else { return self };
        Self { full: self.full.min(deadline), away: self.away.min(deadline) }
    }

    pub(super) fn after(self, failure: Option<&ConnectFailure>) -> Instant {
        match failure.map(|failure| failure.kind) {
            Some(ConnectErrorKind::Full) => self.full,
            _ => self.away,
        }
    }
}

/// Backoff between attempts: random up to a bound that doubles ("full jitter"), so that processes which
/// failed together do not come back together.
#[derive(Default)]
pub(in crate::db) struct Backoff(u32);

impl Backoff {
    /// The next one, at most as long as this.
    pub(in crate::db) fn next(&mut self, longest: Duration) -> Duration {
        let bound = (FIRST_PAUSE * 2u32.saturating_pow(self.0.min(16))).min(longest);
        self.0 += 1;
        // Never nothing at all: an attempt that fails at once must not become a busy loop.
        Duration::from_millis(1) + bound.mul_f64(fastrand::f64())
    }
}
