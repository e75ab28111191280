//! Whether exported counts are those of the process or those since the last export.

use std::time::SystemTime;

use crate::databases::{Metric, Reading};
use crate::{ConfigError, Settings};

const VARIABLE: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

/// The temporality that the operator prefers,
/// <https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/#additional-environment-variable-configuration>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Temporality {
    /// Counts since the process started.
    #[default]
    Cumulative,
    /// Counts since the last export, but for levels.
    Delta,
    /// Only histograms since the last export: the other counts are observed, as asynchronous instruments are.
    LowMemory,
}

impl Temporality {
    pub(super) fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let Some(text) = settings.text(VARIABLE) else { return Ok(Self::default()) };
        match text.to_ascii_lowercase().as_str() {
            "cumulative" => Ok(Self::Cumulative),
            "delta" => Ok(Self::Delta),
            "lowmemory" => Ok(Self::LowMemory),
            _ => {
                let problem = format!("expected cumulative, delta or lowmemory, found {text:?}");
                Err(ConfigError::new(VARIABLE, problem))
            }
        }
    }

    /// Whether numbers of this kind are counted since the last export.
    pub(super) fn is_delta(self, reading: Reading) -> bool {
        match reading {
            Reading::Level(_) => false,
            Reading::Count(_) | Reading::Seconds(_) => self == Self::Delta,
            Reading::Times(_) => self != Self::Cumulative,
        }
    }
}

/// From when on an export counts.
#[derive(Debug)]
pub(super) struct Period {
    temporality: Temporality,
    /// When the process began to count.
    since: SystemTime,
    /// The metrics that the collector has taken last, and when they were read.
    last: Option<(SystemTime, Vec<Metric>)>,
}

/// A number with the time since which it counts.
#[derive(Debug)]
pub(super) struct PeriodCount {
    pub(super) reading: Reading,
    pub(super) since: SystemTime,
    pub(super) is_delta: bool,
}

impl Period {
    /// The first period, which begins now.
    pub(super) fn begin(temporality: Temporality) -> Self {
        Self { temporality, since: SystemTime::now(), last: None }
    }

    /// The number of a metric in this period.
    pub(super) fn count(&self, metric: &Metric) -> PeriodCount {
        let is_delta = self.temporality.is_delta(metric.reading);
        let Some((since, last)) = self.last.as_ref().filter(|_| is_delta) else {
            return PeriodCount { reading: metric.reading, since: self.since, is_delta };
        };
        let same =
            |last: &&Metric| last.name == metric.name && last.attributes == metric.attributes;
        let reading = match last.iter().find(same) {
            Some(last) => metric.reading.minus(last.reading),
            None => metric.reading,
        };
        PeriodCount { reading, since: *since, is_delta }
    }

    /// Begins the next period: the collector has taken these metrics. One that it did not take stays part of this
    /// period, so that the next export has its counts.
    pub(super) fn end(&mut self, now: SystemTime, metrics: Vec<Metric>) {
        if self.temporality != Temporality::Cumulative {
            self.last = Some((now, metrics));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_preference_is_read_in_any_case_and_an_error_names_the_variable() {
        let ask = |text| Temporality::from_settings(&Settings::from_pairs([(VARIABLE, text)]));
        assert_eq!(Temporality::from_settings(&Settings::default()), Ok(Temporality::Cumulative));
        assert_eq!(ask("Delta"), Ok(Temporality::Delta));
        assert_eq!(ask("LOWMEMORY"), Ok(Temporality::LowMemory));
        assert_eq!(ask("gauge").expect_err("no temporality").variable(), VARIABLE);
    }

    #[test]
    fn a_period_goes_on_until_the_collector_has_taken_it() {
        let count = |number| Metric::new("c", "1", "Counts", Reading::Count(number));
        let seconds = |time| Metric::new("s", "s", "Time", Reading::Seconds(time));
        let level = Metric::new("l", "1", "Level", Reading::Level(7));
        let mut period = Period::begin(Temporality::Delta);
        let begun = period.since;
        for number in [3, 5] {
            let counted = period.count(&count(number));
            assert_eq!((counted.reading, counted.since), (Reading::Count(number), begun));
        }
        let taken = begun + Duration::from_secs(60);
        period.end(taken, vec![count(5), seconds(Duration::from_secs(2)), level.clone()]);
        let counted = period.count(&count(9));
        assert_eq!((counted.reading, counted.since), (Reading::Count(4), taken));
        let counted = period.count(&seconds(Duration::from_secs(3)));
        assert_eq!(counted.reading, Reading::Seconds(Duration::from_secs(1)));
        let new = period.count(&count(4).with("route", "/new"));
        assert_eq!((new.reading, new.since), (Reading::Count(4), taken));
        let counted = period.count(&level);
        assert_eq!((counted.reading, counted.since), (Reading::Level(7), begun));
        assert!(!counted.is_delta, "a level is no count");
    }
}
