//! Counting as it happens: relaxed atomics, and no look at a clock that was not taken anyway.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::databases::{CloseCounts, Stats};
use crate::db::sql::Change;
use crate::histogram::Histogram;

/// The upper bounds of all but the last of the ranges in which durations are counted: those that OpenTelemetry's
/// conventions for databases advise.
const BOUNDS: [Duration; 9] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// What has been counted since a pool was opened.
#[derive(Debug)]
pub(in crate::db::pool) struct Counts {
    created: AtomicU64,
    closed: [AtomicU64; 9],
    changes: [AtomicU64; Change::ALL.len()],
    timeouts: AtomicU64,
    refused: AtomicU64,
    leaks: AtomicU64,
    pings: AtomicU64,
    create_time: Histogram,
    pub(in crate::db::pool) wait_time: Histogram,
    pub(in crate::db::pool) use_time: Histogram,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            created: AtomicU64::default(),
            closed: Default::default(),
            changes: Default::default(),
            timeouts: AtomicU64::default(),
            refused: AtomicU64::default(),
            leaks: AtomicU64::default(),
            pings: AtomicU64::default(),
            create_time: Histogram::new(&BOUNDS),
            wait_time: Histogram::new(&BOUNDS),
            use_time: Histogram::new(&BOUNDS),
        }
    }
}

/// Why a connection was closed; see [`CloseCounts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::db::pool) enum Reason {
    Lifetime,
    Idle,
    Dirty,
    Changed,
    Lost,
    Silent,
    Outdated,
    Crowded,
    Drained,
}

impl Counts {
    pub(in crate::db::pool) fn created(&self, took: Duration) {
        self.created.fetch_add(1, Relaxed);
        self.create_time.add(took);
    }

    pub(in crate::db::pool) fn closed(&self, reason: Reason) {
        self.closed[reason as usize].fetch_add(1, Relaxed);
    }

    pub(in crate::db::pool) fn changed(&self, change: Change) {
        self.changes[change as usize].fetch_add(1, Relaxed);
    }

    pub(in crate::db) fn timed_out(&self) {
        self.timeouts.fetch_add(1, Relaxed);
    }

    pub(in crate::db::pool) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(in crate::db::pool) fn leaked(&self) {
        self.leaks.fetch_add(1, Relaxed);
    }

    pub(in crate::db::pool) fn pinged(&self) {
        self.pings.fetch_add(1, Relaxed);
    }

    /// Adds what has been counted to what is there at this moment.
    pub(in crate::db::pool) fn read(&self, now: Stats) -> Stats {
        let closed = |reason: Reason| self.closed[reason as usize].load(Relaxed);
        Stats {
            created: self.created.load(Relaxed),
            closed: CloseCounts {
                lifetime: closed(Reason::Lifetime),
                idle: closed(Reason::Idle),
                dirty: closed(Reason::Dirty),
                changed: closed(Reason::Changed),
                lost: closed(Reason::Lost),
                silent: closed(Reason::Silent),
                outdated: closed(Reason::Outdated),
                crowded: closed(Reason::Crowded),
                drained: closed(Reason::Drained),
            },
            changes: Change::ALL
                .iter()
                .zip(&self.changes)
                .map(|((_, name), count)| (*name, count.load(Relaxed)))
                .collect(),
            timeouts: self.timeouts.load(Relaxed),
            refused: self.refused.load(Relaxed),
            leaks: self.leaks.load(Relaxed),
            pings: self.pings.load(Relaxed),
            create_time: self.create_time.times(),
            wait_time: self.wait_time.times(),
            use_time: self.use_time.times(),
            ..now
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_up_to_and_with_their_bound() {
        let clocked = Histogram::new(&BOUNDS);
        for millis in [0, 1, 2, 1000, 1001, 60_000] {
            clocked.add(Duration::from_millis(millis));
        }
        let times = clocked.times();
        let counts: Vec<u64> = times.cumulative().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 3, 3, 3, 3, 3, 4, 5, 5]);
        assert_eq!(times.count(), 6);
        assert_eq!(times.sum(), Duration::from_millis(62_004));
    }
}
