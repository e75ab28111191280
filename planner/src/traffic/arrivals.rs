//! The moments at which the requests of a traffic arrive.

use super::Traffic;
use crate::Random;
use crate::simulation::Nanos;

/// The moments at which the requests of a traffic arrive, in order.
///
/// The count of each interval is kept exactly; inside it the requests fall at random, as those of many
/// independent clients do. Bursts shorter than an interval are not in the data and not made up.
#[derive(Debug)]
pub struct Arrivals<'a> {
    counts: &'a [u64],
    interval: f64,
    index: usize,
    left: u64,
    now: f64,
    end: f64,
    random: Random,
}

impl<'a> Arrivals<'a> {
    /// The arrivals that belong to a seed.
    #[must_use]
    pub fn new(traffic: &'a Traffic, seed: u64) -> Self {
        let counts = traffic.counts();
        let interval = traffic.interval().as_secs_f64();
        let left = counts.first().copied().unwrap_or(0);
        let random = Random::new(seed);
        Self { counts, interval, index: 0, left, now: 0.0, end: interval, random }
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        while self.left == 0 {
            self.index += 1;
            self.left = *self.counts.get(self.index)?;
            self.now = self.index as f64 * self.interval;
            self.end = self.now + self.interval;
        }
        // The smallest of `left` uniform numbers between now and the end: the rest stay uniform after it.
        let passed = 1.0 - self.random.uniform().powf(1.0 / self.left as f64);
        self.now += (self.end - self.now) * passed;
        self.left -= 1;
        Some(Nanos::from_seconds(self.now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counts_are_kept_and_moments_rise() {
        let traffic = Traffic::new("t", Duration::from_secs(60), vec![0, 3, 0, 1000, 1]);
        let moments = Arrivals::new(&traffic, 1).map(Nanos::seconds).collect::<Vec<_>>();
        assert!(moments.is_sorted());
        let mut counts = vec![0; 5];
        moments.iter().for_each(|moment| counts[(moment / 60.0) as usize] += 1);
        assert_eq!(counts, traffic.counts());
        let mean = moments[3..1003].iter().map(|moment| moment - 180.0).sum::<f64>() / 1000.0;
        assert!((mean - 30.0).abs() < 2.0, "uniform within the interval, mean {mean}");
    }

    #[test]
    fn a_seed_gives_the_same_moments() {
        let traffic = Traffic::new("t", Duration::from_secs(1), vec![100; 10]);
        let first = |seed| Arrivals::new(&traffic, seed).collect::<Vec<_>>();
        assert_eq!(first(7), first(7));
        assert_ne!(first(7), first(8));
    }
}
