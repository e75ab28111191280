//! A histogram of durations; the width of a bucket is at most 1/32 of its values.

use std::time::Duration;

use crate::results::Turn;

/// Buckets for each power of two.
const FINE: u32 = 5;

/// Durations, up to a minute, without keeping each of them.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u32>,
    total: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; 1 << (FINE + 5)], total: 0, longest: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts a duration.
    pub fn add(&mut self, duration: Duration) {
        let bucket = bucket(nanoseconds(duration));
        let last = self.counts.len() - 1;
        self.counts[bucket.min(last)] += 1;
        self.total += 1;
        self.longest = self.longest.max(duration);
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (own, count) in self.counts.iter_mut().zip(&other.counts) {
            *own += count;
        }
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The quantile of this share in microseconds: the upper end of its bucket.
    #[must_use]
    pub fn within(&self, share: f64) -> Option<f64> {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted && seen > 0 {
                return Some(end(bucket) as f64 / 1e3);
            }
        }
        None
    }

    /// Makes a turn of these durations.
    #[must_use]
    pub fn turn(&self, took: Duration) -> Turn {
        Turn {
            done: self.total,
            seconds: took.as_secs_f64(),
            p50: self.within(0.5),
            p99: self.within(0.99),
            max: (self.total > 0).then_some(self.longest.as_secs_f64() * 1e6),
            ..Turn::default()
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn bucket(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(FINE + 1);
    // At most 59 groups of 32, and a value below 64 that is its own bucket.
    ((u64::from(shift) << FINE) + (value >> shift)) as usize
}

/// The largest value of a bucket.
fn end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> FINE).saturating_sub(1);
    let mantissa = bucket - (shift << FINE);
    ((mantissa + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_never_wider_than_a_32nd() {
        for value in [0, 1, 31, 32, 33, 63, 64, 65, 1_000, 123_456, 60_000_000_000] {
            let end = end(bucket(value));
            assert!(end >= value && end - value <= value / 32, "{value} is counted as {end}");
        }
    }

    #[test]
    fn half_lie_within_the_median() {
        let mut histogram = Histogram::default();
        for micros in 1..=100 {
            histogram.add(Duration::from_micros(micros));
        }
        let median = histogram.within(0.5).expect("not empty");
        assert!((50.0..52.0).contains(&median), "{median}");
        assert_eq!(histogram.turn(Duration::from_secs(1)).max, Some(100.0));
    }
}
