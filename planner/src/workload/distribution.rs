//! A distribution of durations, to be sampled and to be summed up.

use std::str::FromStr;

use crate::Random;

/// The normal quantile of 0.99.
const Z99: f64 = 2.326_347_874;

/// A distribution of durations, in seconds.
///
/// Written as `20ms` or `fixed:20ms`, `exp:20ms` (the mean), `lognormal:median=10ms,p99=80ms`, or
/// `quantiles:0=1ms,0.5=10ms,1=90ms`.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Fixed(f64),
    /// Exponential, by its mean.
    Exponential(f64),
    /// Log-normal: the logarithm has this mean and this deviation.
    LogNormal {
        /// The mean of the logarithm.
        mu: f64,
        /// The deviation of the logarithm.
        sigma: f64,
    },
    /// Measured: points of probability and value, straight lines between them.
    Quantiles(Vec<(f64, f64)>),
}

/// Why a text is no distribution.
#[derive(Debug, thiserror::Error)]
#[error("duration \"{text}\": expected {expected}")]
pub struct DistributionError {
    /// The text.
    pub text: String,
    /// What would have been right.
    pub expected: &'static str,
}

impl Distribution {
    /// The log-normal distribution with this median and this 99th percentile, if the latter is larger.
    #[must_use]
    pub fn log_normal(median: f64, p99: f64) -> Option<Self> {
        let sigma = (p99 / median).ln() / Z99;
        (median > 0.0 && sigma.is_finite() && sigma > 0.0)
            .then(|| Self::LogNormal { mu: median.ln(), sigma })
    }

    /// The distribution of measured values, by 200 quantiles; `None` without a value.
    #[must_use]
    pub fn measured(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite() && *value >= 0.0);
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let point = |step: usize| {
            let p = step as f64 / 200.0;
            (p, values[(p * last as f64).round() as usize])
        };
        let mut points = (0..200).map(point).collect::<Vec<_>>();
        points.extend([0.999, 1.0].map(|p| (p, values[(p * last as f64).round() as usize])));
        Some(Self::Quantiles(points))
    }

    /// One duration.
    pub fn sample(&self, random: &mut Random) -> f64 {
        match self {
            Self::Fixed(value) => *value,
            Self::Exponential(mean) => mean * random.exponential(),
            Self::LogNormal { mu, sigma } => (mu + sigma * random.normal()).exp(),
            Self::Quantiles(points) => quantile(points, random.uniform()),
        }
    }

    /// The mean, in seconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self {
            Self::Fixed(value) | Self::Exponential(value) => *value,
            Self::LogNormal { mu, sigma } => (mu + sigma * sigma / 2.0).exp(),
            Self::Quantiles(points) => {
                segments(points).map(|(weight, low, high)| weight * (low + high) / 2.0).sum()
            }
        }
    }

    /// The median, in seconds.
    #[must_use]
    pub fn median(&self) -> f64 {
        match self {
            Self::Fixed(value) => *value,
            Self::Exponential(mean) => mean * std::f64::consts::LN_2,
            Self::LogNormal { mu, .. } => mu.exp(),
            Self::Quantiles(points) => quantile(points, 0.5),
        }
    }

    /// The 99th percentile, in seconds.
    #[must_use]
    pub fn p99(&self) -> f64 {
        match self {
            Self::Fixed(value) => *value,
            Self::Exponential(mean) => mean * 100.0_f64.ln(),
            Self::LogNormal { mu, sigma } => (mu + sigma * Z99).exp(),
            Self::Quantiles(points) => quantile(points, 0.99),
        }
    }

    /// The same distribution with every duration so many times as long.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        match self {
            Self::Fixed(value) => Self::Fixed(value * factor),
            Self::Exponential(mean) => Self::Exponential(mean * factor),
            Self::LogNormal { mu, sigma } => {
                Self::LogNormal { mu: mu + factor.ln(), sigma: *sigma }
            }
            Self::Quantiles(points) => {
                Self::Quantiles(points.iter().map(|(p, value)| (*p, value * factor)).collect())
            }
        }
    }

    /// The squared coefficient of variation: 0 for fixed durations, 1 for exponential ones.
    #[must_use]
    pub fn variability(&self) -> f64 {
        match self {
            Self::Fixed(_) => 0.0,
            Self::Exponential(_) => 1.0,
            Self::LogNormal { sigma, .. } => (sigma * sigma).exp_m1(),
            Self::Quantiles(points) => {
                let mean = self.mean();
                // The second moment of a straight piece from a to b is (a² + ab + b²) / 3.
                let second: f64 = segments(points)
                    .map(|(weight, a, b)| weight * (a * a + a * b + b * b) / 3.0)
                    .sum();
                if mean > 0.0 { (second / (mean * mean) - 1.0).max(0.0) } else { 0.0 }
            }
        }
    }

    /// Points are in order, within bounds, and begin at 0 and end at 1.
    pub(crate) fn from_points(points: Vec<(f64, f64)>) -> Option<Self> {
        let ordered = points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        let ends = points.first()?.0 == 0.0 && points.last()?.0 == 1.0;
        let sound = points.iter().all(|(_, value)| value.is_finite() && *value >= 0.0);
        (ordered && ends && sound).then_some(Self::Quantiles(points))
    }
}

impl FromStr for Distribution {
    type Err = DistributionError;

    fn from_str(text: &str) -> Result<Self, DistributionError> {
        let wrong = |expected| DistributionError { text: text.into(), expected };
        let (kind, rest) = text.split_once(':').unwrap_or(("fixed", text));
        let positive = |text: &str| seconds(text).filter(|value| *value > 0.0);
        match kind {
            "fixed" => positive(rest).map(Self::Fixed).ok_or(wrong("a time such as 20ms or 1.5s")),
            "exp" => positive(rest).map(Self::Exponential).ok_or(wrong("a mean: exp:20ms")),
            "lognormal" => {
                let mut named = rest.split(',').map(|part| part.split_once('='));
                match (named.next().flatten(), named.next().flatten(), named.next()) {
                    (Some(("median", median)), Some(("p99", p99)), None) => positive(median)
                        .zip(positive(p99))
                        .and_then(|(median, p99)| Self::log_normal(median, p99)),
                    _ => None,
                }
                .ok_or(wrong("lognormal:median=10ms,p99=80ms with p99 above the median"))
            }
            "quantiles" => rest
                .split(',')
                .map(|part| {
                    let (p, value) = part.split_once('=')?;
                    Some((p.parse().ok()?, seconds(value)?))
                })
                .collect::<Option<Vec<_>>>()
                .and_then(Self::from_points)
                .filter(|distribution| distribution.mean() > 0.0)
                .ok_or(wrong("quantiles:0=1ms,0.5=10ms,1=90ms, rising from 0 to 1")),
            _ => Err(wrong("fixed:, exp:, lognormal: or quantiles:")),
        }
    }
}

/// A time with its unit, in seconds: `20ms`, `1.5s`, `2m`, `6h`, `1d`.
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let split = text.find(|char: char| char.is_ascii_alphabetic() || char == 'µ')?;
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let seconds = number.trim().parse::<f64>().ok()? * factor;
    (0.0..=1e9).contains(&seconds).then_some(seconds)
}

fn segments(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64, f64)> {
    points.windows(2).map(|pair| (pair[1].0 - pair[0].0, pair[0].1, pair[1].1))
}

fn quantile(points: &[(f64, f64)], p: f64) -> f64 {
    let above = points.partition_point(|(probability, _)| *probability <= p).min(points.len() - 1);
    let ((p0, low), (p1, high)) = (points[above.saturating_sub(1)], points[above]);
    if p1 > p0 { low + (high - low) * (p - p0) / (p1 - p0) } else { high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_the_mean_and_the_variability_that_are_stated() {
        for text in [
            "20ms",
            "exp:20ms",
            "lognormal:median=10ms,p99=80ms",
            "quantiles:0=1ms,0.5=10ms,0.9=30ms,1=90ms",
        ] {
            let distribution = text.parse::<Distribution>().expect("a distribution");
            let mut random = Random::new(3);
            let many = 400_000;
            let samples = (0..many).map(|_| distribution.sample(&mut random)).collect::<Vec<_>>();
            let mean = samples.iter().sum::<f64>() / f64::from(many);
            let second = samples.iter().map(|s| s * s).sum::<f64>() / f64::from(many);
            assert!((mean / distribution.mean() - 1.0).abs() < 0.02, "{text}: mean {mean}");
            let variability = second / (mean * mean) - 1.0;
            let stated = distribution.variability();
            assert!((variability - stated).abs() < 0.06 * (1.0 + stated), "{text}: {variability}");
        }
    }

    #[test]
    fn what_was_measured_comes_back() {
        let values = (1..=1000).map(|ms| f64::from(ms) / 1000.0).collect();
        let distribution = Distribution::measured(values).expect("there are values");
        assert!((distribution.mean() - 0.5).abs() < 0.005);
        assert_eq!(Distribution::measured(Vec::new()), None);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "20",
            "-5ms",
            "0ms",
            "exp:",
            "exp:x",
            "lognormal:10ms",
            "NaNs",
            "1e99s",
            "far:1s",
            "lognormal:median=20ms,p99=10ms",
            "quantiles:0=1ms",
            "quantiles:0.5=1ms,0.4=2ms",
            "5parsec",
        ] {
            let error = text.parse::<Distribution>().expect_err(text).to_string();
            assert!(error.starts_with(&format!("duration \"{text}\": expected ")), "{error}");
        }
    }
}
