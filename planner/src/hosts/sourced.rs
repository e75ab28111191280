//! Figures that carry where they are from and how old they are.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;
use toml::value::Datetime;

use crate::workload::Distribution;

/// A day, such as `2026-10-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(Datetime);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A date that has passed through a table of values has become a text there.
        let date = match Value::deserialize(deserializer)? {
            Value::Datetime(date) => Some(date),
            Value::String(text) => text.parse::<Datetime>().ok(),
            _ => None,
        };
        let day = date.filter(|date| date.date.is_some() && date.time.is_none());
        day.map(Self).ok_or_else(|| D::Error::custom("expected a day such as 2026-10-01"))
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A parameter with its source and the date of that source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sourced {
    /// The figure, in the unit that the parameter's name ends with.
    pub value: f64,
    /// The source.
    pub source: String,
    /// When that was so.
    pub dated: Date,
}

/// A measured distribution, in milliseconds, with its source and date.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Points of probability and milliseconds, from 0 to 1.
    pub quantiles: Vec<(f64, f64)>,
    /// Who measured it.
    pub source: String,
    /// When.
    pub dated: Date,
}

impl Measured {
    /// The distribution, in seconds; `None` if the points are not in order.
    #[must_use]
    pub fn distribution(&self) -> Option<Distribution> {
        let seconds = self.quantiles.iter().map(|(p, ms)| (*p, ms / 1000.0)).collect();
        Distribution::from_points(seconds)
    }
}
