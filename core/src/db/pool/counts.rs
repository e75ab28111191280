//! The counters of a pool: relaxed atomics, and no clock is read for them alone.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::databases::{CloseCounts, Stats};
use crate::db::sql::Change;
use crate::histogram::Histogram;

/// The upper bounds of the ranges in which durations are counted, as OpenTelemetry's conventions for databases advise
/// them; the last range has none.
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

/// A number that only grows.
#[derive(Debug, Default)]
pub(in crate::db::pool) struct Counter(AtomicU64);

impl Counter {
    pub(in crate::db::pool) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What has been counted since a pool was opened; see [`Stats`].
#[derive(Debug)]
pub(in crate::db::pool) struct Counts {
    closed: [Counter; 9],
    changes: [Counter; Change::ALL.len()],
    pub(in crate::db::pool) timeouts: Counter,
    pub(in crate::db::pool) refused: Counter,
    pub(in crate::db::pool) leaks: Counter,
    pub(in crate::db::pool) pings: Counter,
    pub(in crate::db::pool) create_time: Histogram,
    pub(in crate::db::pool) wait_time: Histogram,
    pub(in crate::db::pool) use_time: Histogram,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            closed: Default::default(),
            changes: Default::default(),
            timeouts: Counter::default(),
            refused: Counter::default(),
            leaks: Counter::default(),
            pings: Counter::default(),
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
    pub(in crate::db::pool) fn closed(&self, reason: Reason) {
        self.closed[reason as usize].add();
    }

    pub(in crate::db::pool) fn changed(&self, change: Change) {
        self.changes[change as usize].add();
    }

    /// Returns these numbers of a moment, with what has been counted.
    pub(in crate::db::pool) fn add_to(&self, now: Stats) -> Stats {
        let closed = |reason: Reason| self.closed[reason as usize].get();
        let changes = Change::ALL.iter().zip(&self.changes);
        let create_time = self.create_time.times();
        Stats {
            created: create_time.count(),
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
            changes: changes.map(|((_, name), count)| (*name, count.get())).collect(),
            timeouts: self.timeouts.get(),
            refused: self.refused.get(),
            leaks: self.leaks.get(),
            pings: self.pings.get(),
            create_time,
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
