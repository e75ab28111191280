//! New versions: when they come, and how many processes there are meanwhile.

use super::Nanos;

/// New versions in the middle of equal periods. While one comes, old and new processes overlap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deploys {
    every: f64,
    length: f64,
    overlap: f64,
}

impl Deploys {
    pub(crate) fn new(per_day: f64, length: f64, overlap: f64) -> Self {
        Self { every: 86_400.0 / per_day.max(1e-9), length, overlap }
    }

    /// How many times as many processes there are at a moment.
    pub(crate) fn factor(self, now: Nanos) -> f64 {
        let phase = (now.seconds() + self.every / 2.0) % self.every;
        // The first period begins in its middle only after half of it has passed.
        if phase < self.length && now.seconds() >= self.every / 2.0 { self.overlap } else { 1.0 }
    }

    /// Deploys up to a moment.
    pub(crate) fn before(self, now: Nanos) -> u64 {
        ((now.seconds() + self.every / 2.0) / self.every) as u64
    }

    /// Whether the old process stops before the new one is ready.
    pub(crate) fn interrupts(self) -> bool {
        self.overlap <= 1.0
    }

    /// The moment of a deploy, the first being number 0.
    pub(crate) fn moment(self, number: u64) -> Nanos {
        Nanos::from_seconds((number as f64 + 0.5) * self.every)
    }
}
