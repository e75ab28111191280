//! An instant that tasks set and read without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// An instant after the opening of a connection, or none. It holds the nanoseconds in between; 0 is none.
#[derive(Debug, Default)]
pub(super) struct AtomicInstant(AtomicU64);

impl AtomicInstant {
    /// Sets it to now.
    pub(super) fn set(&self, opened: Instant) {
        self.0.store(since(opened), Ordering::Relaxed);
    }

    /// Sets it to now if it is none.
    pub(super) fn begin(&self, opened: Instant) {
        if self.0.load(Ordering::Relaxed) == 0 {
            let _ = self.0.compare_exchange(0, since(opened), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Sets it to none.
    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Returns the instant, if there is one.
    pub(super) fn get(&self, opened: Instant) -> Option<Instant> {
        let nanoseconds = self.0.load(Ordering::Relaxed);
        (nanoseconds > 0).then(|| opened + Duration::from_nanos(nanoseconds))
    }
}

fn since(opened: Instant) -> u64 {
    // 584 years fit.
    u64::try_from(opened.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
}
