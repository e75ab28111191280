//! A traffic by its shape: steady, daily, weekly, spikes, flash crowd, growth.

use std::f64::consts::TAU;
use std::str::FromStr;
use std::time::Duration;

use super::Traffic;
use crate::Random;
use crate::workload::seconds;

const DAY: f64 = 86_400.0;

/// The most days that are drawn by the second.
const BY_SECOND: f64 = 31.0;

/// A traffic by its shape and its parameters, written `shape:name=value,…`, such as `daily:mean=20,swing=0.8`.
///
/// | shape | parameters and their defaults |
/// |---|---|
/// | `steady` | `mean=10` requests per second |
/// | `daily` | `mean=10`, `swing=0.8`: from mean × (1 − swing) at 3 h to mean × (1 + swing) at 15 h |
/// | `weekly` | as `daily`, `weekend=0.4`: the share of traffic that days 6 and 7 keep |
/// | `spikes` | `mean=1` between spikes, `peak=100`, `every=6h`, `length=2m` |
/// | `flash` | `mean=5` before, `peak=500`, `at=12h`, `rise=1m`, `fall=1h` until a half is left |
/// | `growth` | `mean=1` at the start, `factor=10` at the end, with the daily `swing=0.5` |
///
/// All take `days=7`. Counts are Poisson numbers of the rate, by minutes, or by seconds up to a day and if a spike is
/// shorter than two minutes.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    text: String,
    shape: Shape,
    days: f64,
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Steady { mean: f64 },
    Daily { mean: f64, swing: f64, weekend: f64 },
    Spikes { mean: f64, peak: f64, every: f64, length: f64 },
    Flash { mean: f64, peak: f64, at: f64, rise: f64, fall: f64 },
    Growth { mean: f64, factor: f64, swing: f64 },
}

/// Why a text is no pattern.
#[derive(Debug, thiserror::Error)]
#[error("pattern \"{pattern}\": {reason}")]
pub struct PatternError {
    /// The text.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let wrong = |reason: String| PatternError { pattern: text.into(), reason };
        let (shape, rest) = text.split_once(':').unwrap_or((text, ""));
        let mut given = Given::parse(rest).map_err(wrong)?;
        let days = given.take("days", 7.0, 1.0 / 1440.0, 3660.0);
        let rate = 1e6;
        let shape = match shape {
            "steady" => Shape::Steady { mean: given.take("mean", 10.0, 0.0, rate) },
            "daily" | "weekly" => Shape::Daily {
                mean: given.take("mean", 10.0, 0.0, rate),
                swing: given.take("swing", 0.8, 0.0, 1.0),
                weekend: if shape == "weekly" {
                    given.take("weekend", 0.4, 0.0, 10.0)
                } else {
                    1.0
                },
            },
            "spikes" => Shape::Spikes {
                mean: given.take("mean", 1.0, 0.0, rate),
                peak: given.take("peak", 100.0, 0.0, rate),
                every: given.take("every", 6.0 * 3600.0, 1.0, 366.0 * DAY),
                length: given.take("length", 120.0, 1.0, 366.0 * DAY),
            },
            "flash" => Shape::Flash {
                mean: given.take("mean", 5.0, 0.0, rate),
                peak: given.take("peak", 500.0, 0.0, rate),
                at: given.take("at", 12.0 * 3600.0, 0.0, 3660.0 * DAY),
                rise: given.take("rise", 60.0, 1.0, 366.0 * DAY),
                fall: given.take("fall", 3600.0, 1.0, 366.0 * DAY),
            },
            "growth" => Shape::Growth {
                mean: given.take("mean", 1.0, 0.0, rate),
                factor: given.take("factor", 10.0, 1e-3, 1e5),
                swing: given.take("swing", 0.5, 0.0, 1.0),
            },
            other => {
                let known = "steady, daily, weekly, spikes, flash or growth";
                return Err(wrong(format!("expected {known}, found {other}")));
            }
        };
        given.finish().map_err(wrong)?;
        let pattern = Self { text: text.into(), shape, days };
        if pattern.is_short() && days > BY_SECOND {
            let found =
                "what is shorter than two minutes is drawn by the second, of 31 days at most";
            return Err(wrong(format!("{found}; found days={days}")));
        }
        Ok(pattern)
    }
}

impl Pattern {
    /// A pattern of a week with this mean and peak, in requests per second: steady, daily up to twice the mean, or four
    /// spikes a day.
    #[must_use]
    pub fn of_mean_and_peak(mean: f64, peak: f64) -> Self {
        let ratio = peak / mean;
        let shape = if ratio < 1.05 {
            Shape::Steady { mean }
        } else if ratio <= 2.0 {
            Shape::Daily { mean, swing: ratio - 1.0, weekend: 1.0 }
        } else {
            let every = 6.0 * 3600.0;
            // Spikes of ten minutes; shorter if they alone would make up more than half of the mean.
            let length = (every * mean / peak / 2.0).min(600.0);
            let share = length / every;
            Shape::Spikes { mean: (mean - peak * share) / (1.0 - share), peak, every, length }
        };
        Self { text: format!("mean {mean}/s, peak {peak}/s"), shape, days: 7.0 }
    }

    /// Whether a part of it is so short that intervals of a minute would miss it.
    fn is_short(&self) -> bool {
        match self.shape {
            Shape::Spikes { length, .. } => length < 120.0,
            Shape::Flash { rise, .. } => rise < 60.0,
            Shape::Steady { .. } | Shape::Daily { .. } | Shape::Growth { .. } => false,
        }
    }

    /// The traffic of this pattern that belongs to a seed.
    #[must_use]
    pub fn traffic(&self, seed: u64) -> Traffic {
        let step: f64 = if self.days > 1.0 && !self.is_short() { 60.0 } else { 1.0 };
        let many = (self.days * DAY / step).round().max(1.0) as usize;
        let mut random = Random::new(seed ^ 0x7261_7465);
        let counts = (0..many)
            .map(|index| random.poisson(self.rate((index as f64 + 0.5) * step) * step))
            .collect();
        Traffic::new(self.text.clone(), Duration::from_secs_f64(step), counts)
    }

    /// Requests per second at a moment, in seconds.
    fn rate(&self, at: f64) -> f64 {
        let daily = |mean: f64, swing: f64| mean * (1.0 - swing * (TAU * (at / DAY - 0.125)).cos());
        match self.shape {
            Shape::Steady { mean } => mean,
            Shape::Daily { mean, swing, weekend } => {
                let day = (at / DAY) as u64 % 7;
                daily(mean, swing) * if day >= 5 { weekend } else { 1.0 }
            }
            Shape::Spikes { mean, peak, every, length } => {
                // The first spike comes in the middle of its period.
                if (at + every / 2.0) % every < length { peak } else { mean }
            }
            Shape::Flash { mean, peak, at: start, rise, fall } => {
                let passed = at - start;
                let height = peak - mean;
                if passed < 0.0 {
                    mean
                } else if passed < rise {
                    mean + height * passed / rise
                } else {
                    mean + height * 0.5_f64.powf((passed - rise) / fall)
                }
            }
            Shape::Growth { mean, factor, swing } => {
                daily(mean, swing) * factor.powf(at / (self.days * DAY))
            }
        }
    }
}

/// The parameters that were given and are not yet taken, and the first fault among them.
struct Given(Vec<(String, f64)>, Option<String>);

impl Given {
    fn parse(text: &str) -> Result<Self, String> {
        let mut given = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, value) =
                part.split_once('=').ok_or(format!("expected name=value, found {part}"))?;
            let number =
                value.parse().ok().or_else(|| seconds(value)).filter(|v: &f64| v.is_finite());
            let number =
                number.ok_or(format!("{name}: expected a number or a time, found {value}"))?;
            given.push((name.to_owned(), number));
        }
        Ok(Self(given, None))
    }

    fn take(&mut self, name: &str, default: f64, least: f64, most: f64) -> f64 {
        let Some(index) = self.0.iter().position(|(given, _)| given == name) else {
            return default;
        };
        let (_, value) = self.0.swap_remove(index);
        if !(least..=most).contains(&value) && self.1.is_none() {
            self.1 = Some(format!("{name} must be from {least} to {most}, found {value}"));
        }
        value
    }

    fn finish(self) -> Result<(), String> {
        match (self.1, self.0.first()) {
            (Some(fault), _) => Err(fault),
            (None, Some((name, _))) => Err(format!("has no parameter {name}")),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn traffic(text: &str) -> Traffic {
        text.parse::<Pattern>().expect("a pattern").traffic(1)
    }

    #[test]
    fn every_shape_has_its_mean_and_its_peak() {
        let near = |found: f64, wanted: f64| (found / wanted - 1.0).abs() < 0.05;
        let mean = |traffic: &Traffic| traffic.requests() as f64 / traffic.span();
        assert!(near(mean(&traffic("steady:mean=20")), 20.0));
        let daily = traffic("daily:mean=20,swing=0.5");
        assert!(near(mean(&daily), 20.0) && near(daily.peak(), 30.0 + 3.0 * 0.7));
        assert!(near(mean(&traffic("weekly:mean=20,weekend=0")), 20.0 * 5.0 / 7.0));
        let spikes = traffic("spikes:mean=0,peak=100,every=1h,length=6m");
        assert!(near(mean(&spikes), 10.0));
        assert!(near(traffic("flash:peak=400,days=2").peak(), 400.0));
        let growth = traffic("growth:mean=100,factor=10,swing=0");
        assert!(near(*growth.counts().last().expect("some") as f64, 60_000.0));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        for (text, reason) in [
            ("wave", "expected steady, daily, weekly, spikes, flash or growth, found wave"),
            ("steady:mean", "expected name=value, found mean"),
            ("steady:mean=much", "mean: expected a number or a time, found much"),
            ("steady:mean=-1", "mean must be from 0 to 1000000, found -1"),
            ("steady:peak=4", "has no parameter peak"),
            ("steady:mean=NaN", "mean: expected a number or a time, found NaN"),
        ] {
            let error = text.parse::<Pattern>().expect_err("no pattern");
            assert_eq!(error.to_string(), format!("pattern \"{text}\": {reason}"));
        }
    }
}
