//! Retries of connecting: until when, and with which pauses.

use std::time::Duration;

use tokio::time::Instant;

use super::{Connect, ConnectFailure};
use crate::db::driver::ConnectErrorKind;
use crate::deadline;

/// The first pause after a failed attempt; each further one may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The longest pause between two attempts, which bounds how late a server's return is noticed.
pub(in crate::db) const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause while the server answers that it is full, at most an eighth of the time that is left: a
/// refusal costs it as much as a connection, so that many clients that retry often keep it from serving any.
const LONGEST_WHILE_FULL: Duration = Duration::from_secs(2);

/// Opens a connection, and tries again until `away` while the server cannot be reached, and until `full` while it
/// answers that it takes no more connections, since one may come free.
///
/// `says_why`: whether the first failure is logged.
pub(in crate::db) async fn connect_until<C: Connect>(
    connector: &C,
    (full, away): (Instant, Instant),
    says_why: bool,
) -> Result<C::Connection, ConnectFailure> {
    let (full, away) = (deadline::at_most(full), deadline::at_most(away));
    let mut backoff = Backoff::default();
    let (mut before, mut until) = (None, away);
    loop {
        let failure = match connector.connect(Some(until)).await {
            Ok(opened) => return Ok(opened),
            // An attempt without time left ends in a timeout; the failure before it says more.
            Err(failure) if Instant::now() >= until => return Err(before.unwrap_or(failure)),
            Err(failure) => failure,
        };
        let is_full = failure.kind == ConnectErrorKind::Full;
        until = if is_full { full } else { away };
        let pause = if is_full {
            let left = until.saturating_duration_since(Instant::now());
            backoff.next(LONGEST_WHILE_FULL.min(left / 8))
        } else {
            backoff.next(LONGEST_PAUSE)
        };
        if failure.is_final() || Instant::now() + pause >= until {
            return Err(failure);
        }
        if before.is_none() && says_why && !is_full {
            tracing::warn!("connecting to the database fails, and is tried again: {failure}");
        }
        before = Some(failure);
        tokio::time::sleep(pause).await;
    }
}

/// Backoff between attempts: random up to a bound that doubles ("full jitter"), so that processes which
/// failed together do not come back together.
#[derive(Default)]
pub(in crate::db) struct Backoff(u32);

impl Backoff {
    /// Returns the next pause, at most this long.
    pub(in crate::db) fn next(&mut self, longest: Duration) -> Duration {
        let bound = (FIRST_PAUSE * 2u32.saturating_pow(self.0.min(16))).min(longest);
        self.0 += 1;
        // At least a millisecond: attempts that fail at once must not become a busy loop.
        Duration::from_millis(1) + bound.mul_f64(fastrand::f64())
    }
}
