//! Durations, counted by how long they were.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The most bounds that a histogram can have.
const MOST_BOUNDS: usize = 14;

/// Counts durations by the ranges that its bounds divide; the last range has no bound.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [Duration],
    counts: [AtomicU64; MOST_BOUNDS + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// A histogram with these upper bounds, at most 14 of them.
    pub(crate) fn new<const N: usize>(bounds: &'static [Duration; N]) -> Self {
        const { assert!(N <= MOST_BOUNDS) };
        Self { bounds, counts: Default::default(), nanoseconds: AtomicU64::default() }
    }

    /// Counts a duration.
    pub(crate) fn add(&self, duration: Duration) {
        let range = self.bounds.iter().take_while(|bound| duration > **bound).count();
        self.counts[range].fetch_add(1, Relaxed);
        // 584 years in all before it wraps.
        self.nanoseconds.fetch_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Counts a duration of nothing, which is in the first range.
    #[cfg(feature = "db")]
    pub(crate) fn add_none(&self) {
        self.counts[0].fetch_add(1, Relaxed);
    }

    /// The counts of this moment.
    pub(crate) fn times(&self) -> Times {
        Times {
            bounds: self.bounds,
            counts: self.counts.each_ref().map(|count| count.load(Relaxed)),
            sum: Duration::from_nanos(self.nanoseconds.load(Relaxed)),
        }
    }
}

/// Durations, counted by how long they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    bounds: &'static [Duration],
    counts: [u64; MOST_BOUNDS + 1],
    sum: Duration,
}

impl Times {
    /// The number of measured times.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// The number of times up to each bound (cumulative), for databases nine bounds from 1 ms to 10 s;
    /// [`count`](Self::count) is the last, which has no bound.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let mut below = 0;
        self.bounds.iter().zip(self.counts).map(move |(bound, count)| {
            below += count;
            (*bound, below)
        })
    }

    /// The bounds, and the number of times in each range between them; the last range has no bound.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn ranges(&self) -> (&'static [Duration], &[u64]) {
        (self.bounds, &self.counts[..=self.bounds.len()])
    }

    /// The times that were added after an earlier state of the same histogram. One that has fewer was begun anew.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn minus(mut self, earlier: &Self) -> Self {
        let whole = self;
        for (count, then) in self.counts.iter_mut().zip(earlier.counts) {
            let Some(more) = count.checked_sub(then) else { return whole };
            *count = more;
        }
        let Some(sum) = self.sum.checked_sub(earlier.sum) else { return whole };
        Self { sum, ..self }
    }
}
