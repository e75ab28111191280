//! The same traffic with more or fewer clients.

use super::Traffic;
use crate::Random;

/// Requests around an interval from which its rate is estimated.
const ENOUGH: f64 = 400.0;

impl Traffic {
    /// The traffic of so many times as many clients. Its noise is that of its own size, not a copy of the noise of this
    /// traffic: fewer requests are a random part of these, more are drawn from the estimated rates.
    #[must_use]
    pub fn scaled(&self, factor: f64, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x7363_616c);
        let counts = self.counts();
        let scaled = if factor <= 1.0 {
            counts.iter().map(|count| random.binomial(*count, factor)).collect()
        } else {
            let around = MovingSums::new(counts);
            let own = around.own_share();
            let rates = counts.iter().enumerate().map(|(index, count)| {
                let (mean, _) = around.at(index);
                mean + own * (*count as f64 - mean)
            });
            rates.map(|rate| random.poisson(factor * rate)).collect()
        };
        Self::new(format!("{} × {factor:.2}", self.name()), self.interval(), scaled)
    }
}

/// Means and variances of the counts around each interval.
struct MovingSums {
    /// Sums of the counts and of their squares, before each interval.
    sums: Vec<(f64, f64)>,
    /// Intervals on each side.
    reach: usize,
}

impl MovingSums {
    fn new(counts: &[u64]) -> Self {
        let mut sums = Vec::with_capacity(counts.len() + 1);
        let (mut sum, mut squares) = (0.0, 0.0);
        sums.push((sum, squares));
        for count in counts {
            let count = *count as f64;
            sum += count;
            squares += count * count;
            sums.push((sum, squares));
        }
        let mean = sum / counts.len() as f64;
        // A small positive number.
        let reach = (ENOUGH / 2.0 / mean.max(1e-9)).clamp(5.0, 500.0) as usize;
        Self { sums, reach }
    }

    /// The mean and the variance around an interval, with its own count.
    fn at(&self, index: usize) -> (f64, f64) {
        let intervals = self.sums.len() - 1;
        let (begin, end) =
            (index.saturating_sub(self.reach), (index + self.reach + 1).min(intervals));
        let many = (end - begin) as f64;
        let sum = self.sums[end].0 - self.sums[begin].0;
        let squares = self.sums[end].1 - self.sums[begin].1;
        let mean = sum / many;
        (mean, (squares - many * mean * mean).max(0.0) / (many - 1.0).max(1.0))
    }

    /// How much an interval's own count says of its rate, beyond the mean around it: 0 if neighbours differ as random
    /// arrivals do, 1 if they differ far more.
    fn own_share(&self) -> f64 {
        let all = (0..self.sums.len() - 1).map(|index| self.at(index));
        let (means, variances) = all.fold((0.0, 0.0), |(means, variances), (mean, variance)| {
            (means + mean, variances + variance)
        });
        let share = if variances > 0.0 { 1.0 - means / variances } else { 0.0 };
        // A few hundredths are noise of the estimate.
        if share < 0.05 { 0.0 } else { share.min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use crate::traffic::{Pattern, Traffic};

    fn peak_over_mean(traffic: &Traffic) -> f64 {
        traffic.peak() / (traffic.requests() as f64 / traffic.span())
    }

    #[test]
    fn a_steady_traffic_stays_steady_at_any_load() {
        let at = |mean: f64| {
            let text = format!("steady:mean={mean},days=0.2");
            text.parse::<Pattern>().expect("a pattern").traffic(1)
        };
        for (from, factor) in [(1.0, 100.0), (100.0, 0.01), (10.0, 10.0)] {
            let scaled = peak_over_mean(&at(from).scaled(factor, 2));
            let real = peak_over_mean(&at(from * factor));
            assert!((scaled / real - 1.0).abs() < 0.25, "{from} × {factor}: {scaled} for {real}");
        }
        let requests = at(10.0).scaled(3.0, 1).requests() as f64;
        assert!((requests / at(10.0).requests() as f64 / 3.0 - 1.0).abs() < 0.01);
    }
}
