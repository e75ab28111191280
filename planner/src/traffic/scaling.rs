//! The same traffic with more or fewer clients.

use super::Traffic;
use crate::Random;

/// Neighbours on each side that the rate of an interval is estimated from.
const NEIGHBOURS: usize = 5;

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
            (0..counts.len()).map(|index| random.poisson(factor * rate(counts, index))).collect()
        };
        Self::new(format!("{} × {factor:.2}", self.name()), self.interval(), scaled)
    }
}

/// The estimated mean of an interval's count: between its own count and that of its neighbours, nearer to its own the more
/// the neighbours differ beyond what random arrivals make them differ.
fn rate(counts: &[u64], index: usize) -> f64 {
    let begin = index.saturating_sub(NEIGHBOURS);
    let around = &counts[begin..(index + NEIGHBOURS + 1).min(counts.len())];
    let many = around.len() as f64;
    let mean = around.iter().sum::<u64>() as f64 / many;
    let square = around.iter().map(|count| (*count as f64 - mean).powi(2)).sum::<f64>();
    let variance = square / (many - 1.0).max(1.0);
    let own = if variance > mean { (variance - mean) / variance } else { 0.0 };
    mean + own * (counts[index] as f64 - mean)
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
