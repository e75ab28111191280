//! Requests over time: how many in each interval, from a trace or a pattern.

mod arrivals;
mod bursts;
mod pattern;
mod scaling;
mod statistics;
mod trace;

use std::time::Duration;

pub use arrivals::Arrivals;
pub use bursts::Stretch;
pub use pattern::{Pattern, PatternError};
pub use statistics::Statistics;
pub use trace::{Gaps, TraceError};
pub(crate) use trace::{LONGEST_INTERVAL, MOST_PER_SECOND};

/// A traffic, and the pattern it is drawn from if it is not recorded: other seeds draw other numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// The traffic of the first seed.
    pub traffic: Traffic,
    /// The pattern.
    pub pattern: Option<Pattern>,
}

impl Demand {
    /// The traffic of a pattern.
    #[must_use]
    pub fn drawn(pattern: Pattern, seed: u64) -> Self {
        Self { traffic: pattern.traffic(seed), pattern: Some(pattern) }
    }

    /// The traffic that belongs to a seed.
    #[must_use]
    pub fn with_seed(&self, seed: u64) -> Traffic {
        match &self.pattern {
            Some(pattern) => pattern.traffic(seed),
            None => self.traffic.clone(),
        }
    }
}

impl From<Traffic> for Demand {
    fn from(traffic: Traffic) -> Self {
        Self { traffic, pattern: None }
    }
}

/// Requests per interval, from a start on without a gap.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    name: String,
    interval: Duration,
    counts: Vec<u64>,
}

impl Traffic {
    /// Traffic of these counts, one for each interval.
    ///
    /// # Panics
    /// If there is no count, or the interval is zero: neither is traffic.
    pub fn new(name: impl Into<String>, interval: Duration, counts: Vec<u64>) -> Self {
        assert!(!counts.is_empty() && !interval.is_zero(), "traffic has intervals of some length");
        Self { name: name.into(), interval, counts }
    }

    /// What it is called in reports: the file or the pattern.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The length of one interval.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Requests of each interval.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The length of all intervals together, in seconds.
    #[must_use]
    pub fn span(&self) -> f64 {
        self.interval.as_secs_f64() * self.counts.len() as f64
    }

    /// All requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The rate of the busiest minute, or of the busiest interval if intervals are longer; in requests per second.
    #[must_use]
    pub fn sustained_peak(&self) -> f64 {
        let interval = self.interval.as_secs_f64();
        let many = ((60.0 / interval).floor() as usize).clamp(1, self.counts.len());
        let mut sum = self.counts[..many].iter().sum::<u64>();
        let mut most = sum;
        for index in many..self.counts.len() {
            sum = sum + self.counts[index] - self.counts[index - many];
            most = most.max(sum);
        }
        most as f64 / (many as f64 * interval)
    }

    /// The rate of the busiest interval, in requests per second.
    #[must_use]
    pub fn peak(&self) -> f64 {
        let most = self.counts.iter().copied().max().unwrap_or(0);
        most as f64 / self.interval.as_secs_f64()
    }
}
