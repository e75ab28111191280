//! The rate at which the queues of a process have settled.

/// The mean wait may be off by one part of so many.
const PARTS: f64 = 50.0;

/// The load of the longest time.
const HIGHEST: f64 = 0.7;

/// Requests a second, averaged over the time that the queues of a process need to settle.
///
/// Counts of short stretches vary by chance, and the waits at a rate contain that chance already. N requests of Poisson
/// arrivals at a load ρ are a load of ρ ± ρ/√N. The mean wait goes with ρ/(1 − ρ), whose second derivative is 2/(1 − ρ)³: taken
/// at the load of each stretch it is too long by ρ/(N (1 − ρ)²) of itself. That is one part of 50 if N is 50 ρ/(1 − ρ)²: so many
/// requests come within the time of 50/(1 − ρ)² requests that the process can answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SettledRate {
    rate: f64,
}

impl SettledRate {
    /// Passes a stretch of so many seconds with this rate, for a process that can answer `can` requests a second; returns the
    /// rate whose waits are those of the stretch.
    pub(super) fn pass(&mut self, rate: f64, length: f64, can: f64) -> f64 {
        let free = (1.0 - self.rate / can).abs().max(1.0 - HIGHEST);
        let time = PARTS / (can * free * free);
        // Nothing settles in an overload. Three deviations into it or out of it are no chance.
        let deviations = |rate: f64| 3.0 * (rate / length).sqrt();
        let begins = rate > can + deviations(can);
        let ends = self.rate > can && rate < self.rate - deviations(self.rate);
        let at_once = self.rate == 0.0 || begins || ends;
        let weight = if at_once { 1.0 } else { 1.0 - (-length / time).exp() };
        self.rate += weight * (rate - self.rate);
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    #[test]
    fn chance_in_short_stretches_does_not_lengthen_the_mean_wait() {
        let (rate, can) = (16.0, 32.0);
        let wait = |rate: f64| rate / (can - rate);
        for length in [0.5, 1.0, 10.0, 60.0] {
            let mut random = Random::new(7);
            let mut settled = SettledRate::default();
            let many = 20_000;
            let mut waits = 0.0;
            for _ in 0..many {
                let counted = random.poisson(rate * length) as f64 / length;
                waits += wait(settled.pass(counted, length, can).min(0.98 * can));
            }
            let error = waits / f64::from(many) / wait(rate) - 1.0;
            assert!(error.abs() < 0.05, "{length} s: {error}");
        }
    }

    #[test]
    fn a_change_that_lasts_is_followed() {
        let mut settled = SettledRate::default();
        settled.pass(2.0, 60.0, 32.0);
        // A minute of 20 a second is far more than the memory at that load.
        assert!((settled.pass(20.0, 60.0, 32.0) / 20.0 - 1.0).abs() < 0.01);
        assert!(settled.pass(0.0, 60.0, 32.0) < 0.1);
    }
}
