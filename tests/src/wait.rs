//! Polling for the effects of another process that sends no notification.

use std::thread;
use std::time::{Duration, Instant};

use crate::process::PATIENCE;

/// How long to leave the other process alone before looking again.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until there is something to see, or patience is over.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// The same with a patience of one's own.
#[track_caller]
pub fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + patience;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < until, "not within {patience:?}: {what}");
        pause(PAUSE);
    }
}

/// Sleeps in a test whose subject is the time itself, such as a router that notices a stop late.
pub fn pause(time: Duration) {
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::park_timeout(left);
    }
}
