//! What happens inside an interval that is longer than a burst.

use std::time::Duration;

use serde::Serialize;

use super::Traffic;
use crate::Random;

/// Intervals up to this length show bursts themselves, in seconds.
const FINE: f64 = 10.0;

/// The most intervals that are made.
const MOST: usize = 600_000;

/// A stretch of a traffic for a plot, in requests per second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stretch {
    /// Its start, in seconds.
    pub at: f64,
    /// The quietest interval.
    pub low: f64,
    /// On average.
    pub mean: f64,
    /// The busiest interval.
    pub high: f64,
}

impl Traffic {
    /// Whether intervals are so long that bursts inside them cannot be seen.
    #[must_use]
    pub fn is_coarse(&self) -> bool {
        self.interval().as_secs_f64() > FINE
    }

    /// How bursty neighbouring intervals are, from 0 (as random arrivals are) to 1: how much of an interval's requests
    /// tend to be in one of its halves.
    ///
    /// Of two neighbours with s requests together, random arrivals differ by s on average (squared); with a beta-distributed
    /// share of correlation r they differ by s + r s (s − 1). A trend over three neighbours is taken off.
    #[must_use]
    pub fn burstiness(&self) -> f64 {
        let counts = self.counts();
        let pairs = counts.windows(2).map(|pair| (pair[0] as f64, pair[1] as f64));
        let (mut surplus, mut all) = (0.0, 0.0);
        for (first, second) in pairs {
            let sum = first + second;
            surplus += (first - second).powi(2) - sum;
            all += sum * (sum - 1.0);
        }
        let of_pairs = if all > 0.0 { surplus / all } else { 0.0 };
        let (mut surplus, mut all) = (0.0, 0.0);
        for three in counts.windows(3) {
            let [a, b, c] = [three[0] as f64, three[1] as f64, three[2] as f64];
            surplus += (a - 2.0 * b + c).powi(2) - (a + 4.0 * b + c);
            let mean = (a + b + c) / 3.0;
            all += 12.0 * mean * mean;
        }
        let without_trend = if all > 0.0 { surplus / all } else { of_pairs };
        of_pairs.min(without_trend).clamp(0.0, 0.95)
    }

    /// The same requests in shorter intervals, as bursty in each halving as a burstiness says.
    #[must_use]
    pub fn with_bursts(&self, burstiness: f64, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x6275_7273);
        let shape = (1.0 / burstiness.max(1e-6) - 1.0) / 2.0;
        let (mut counts, mut interval) = (self.counts().to_vec(), self.interval());
        while interval.as_secs_f64() > 1.5 && counts.len() * 2 <= MOST {
            let mut finer = Vec::with_capacity(counts.len() * 2);
            for count in counts {
                let share = random.beta(shape);
                let first = random.binomial(count, share);
                finer.extend([first, count - first]);
            }
            counts = finer;
            interval = Duration::from_secs_f64(interval.as_secs_f64() / 2.0);
        }
        Self::new(format!("{} with bursts", self.name()), interval, counts)
    }

    /// So many stretches at most, for a plot.
    #[must_use]
    pub fn stretches(&self, most: usize) -> Vec<Stretch> {
        let interval = self.interval().as_secs_f64();
        let many = self.counts().len().div_ceil(most.max(1));
        let chunks = self.counts().chunks(many).enumerate();
        let stretch = |(index, chunk): (usize, &[u64])| {
            let rate = |count: u64| count as f64 / interval;
            Stretch {
                at: (index * many) as f64 * interval,
                low: rate(chunk.iter().copied().min().unwrap_or(0)),
                mean: rate(chunk.iter().sum()) / chunk.len() as f64,
                high: rate(chunk.iter().copied().max().unwrap_or(0)),
            }
        };
        chunks.map(stretch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Pattern;

    #[test]
    fn random_arrivals_are_not_bursty_and_stay_so() {
        let steady = "steady:mean=5,days=1.1".parse::<Pattern>().expect("a pattern").traffic(3);
        assert!(steady.is_coarse() && steady.burstiness() < 0.001, "{}", steady.burstiness());
        let daily = "daily:mean=50,days=2".parse::<Pattern>().expect("a pattern").traffic(3);
        assert!(daily.burstiness() < 0.001, "{}", daily.burstiness());
    }

    #[test]
    fn bursts_that_were_made_are_found_again() {
        let even = Traffic::new("even", Duration::from_secs(3600), vec![36_000; 40]);
        for burstiness in [0.02, 0.1, 0.3] {
            let bursty = even.with_bursts(burstiness, 1);
            assert_eq!(bursty.requests(), even.requests());
            let found = bursty.burstiness();
            assert!(found > burstiness * 0.5 && found < burstiness * 2.5, "{burstiness}: {found}");
        }
    }

    #[test]
    fn a_plot_shows_peaks_as_peaks() {
        let mut counts = vec![1; 10_000];
        counts[5000] = 700;
        let stretches = Traffic::new("t", Duration::from_secs(1), counts).stretches(240);
        assert!(stretches.len() <= 240);
        let high = stretches.iter().map(|stretch| stretch.high).fold(0.0, f64::max);
        assert!((high - 700.0).abs() < 1e-9);
    }
}
