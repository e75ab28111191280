//! Random numbers that are the same for a seed on every machine and in every version.

use rand::{RngExt, SeedableRng};
use rand_distr::{Beta, Binomial, Distribution as _, Exp1, Poisson, StandardNormal};
use rand_pcg::Pcg64Mcg;

/// Random numbers from a seed: PCG, whose output is part of its definition.
#[derive(Clone, Debug)]
pub struct Random(Pcg64Mcg);

impl Random {
    /// The numbers that belong to a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    /// A number from 0 up to 1, 1 excluded.
    pub fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// A whole number below a bound, which is above 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    /// A number of the exponential distribution with mean 1.
    pub fn exponential(&mut self) -> f64 {
        self.0.sample(Exp1)
    }

    /// A number of the normal distribution with mean 0 and variance 1.
    pub fn normal(&mut self) -> f64 {
        self.0.sample(StandardNormal)
    }

    /// How many of `many` happen, each with this chance.
    pub fn binomial(&mut self, many: u64, chance: f64) -> u64 {
        Binomial::new(many, chance.clamp(0.0, 1.0))
            .map_or(0, |binomial| binomial.sample(&mut self.0))
    }

    /// A number from 0 to 1 of the symmetric beta distribution; a half if `shape` is not above 0.
    pub fn beta(&mut self, shape: f64) -> f64 {
        Beta::new(shape, shape).map_or(0.5, |beta| beta.sample(&mut self.0))
    }

    /// A number of the Poisson distribution with a mean; 0 if the mean is not above 0.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        // A mean beyond 1.8e19 is refused by the distribution; no traffic comes near.
        Poisson::new(mean).map_or(0, |poisson| poisson.sample(&mut self.0) as u64)
    }
}
