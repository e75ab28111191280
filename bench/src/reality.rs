//! The planner's predictions beside measurements: `notes` as a process and as functions, under the same traffic.

mod environments;
mod page;
mod prediction;
mod process;
mod scenarios;
mod share;
mod traffic;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhost_planner::workload::Distribution;
use serde::Serialize;

use crate::machine::{self, Machine};

/// How far a prediction may lie from what is measured.
pub const CLOSE: f64 = 0.25;

/// How far a predicted share may lie from the measured one in any case: a hundredth. A quarter of almost nothing is
/// less than chance makes.
pub const CLOSE_SHARE: f64 = 0.01;

/// What was predicted and what came, for all traffics and configurations.
#[derive(Debug, Serialize)]
pub struct Reality {
    /// The machine.
    pub machine: Machine,
    /// One entry a traffic and configuration.
    pub runs: Vec<Run>,
    /// Why nothing was run with a share of a processor: no cgroup with a quota can be made.
    pub without_shares: Option<String>,
}

/// The measurement of one traffic on one configuration.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The traffic.
    pub traffic: String,
    /// Its requests.
    pub requests: u64,
    /// The requests that were neither answered nor refused.
    pub failed: u64,
    /// `notes-paas` or `notes-lambda`.
    pub program: &'static str,
    /// What is set, in words or as lines; empty for a whole machine and core's own formulas.
    pub set: String,
    /// The figures that are compared.
    pub figures: Vec<Figure>,
}

/// One figure, predicted and measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figure {
    /// The name of the figure.
    pub what: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// The planner's prediction: the median of its simulations.
    pub predicted: f64,
    /// Four of five of its simulations are between these: so much chance is in one measurement of this length.
    pub range: (f64, f64),
    /// The measured value.
    pub measured: f64,
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// A number of things.
    Count,
    /// A share of all requests, from 0 to 1.
    Share,
}

impl Unit {
    /// A value in words.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Count => format!("{value:.0}"),
            Self::Share => format!("{:.1} %", value * 1e2),
        }
    }
}

impl Figure {
    /// The prediction as a share of the measurement, less one: +0.1 is a tenth too much. Of two zeros it is 0.
    #[must_use]
    pub fn off(&self) -> f64 {
        if self.predicted == self.measured { 0.0 } else { self.predicted / self.measured - 1.0 }
    }

    /// How far the prediction is off, in words: relative, or for a share in percentage points.
    #[must_use]
    pub fn off_in_words(&self) -> String {
        match self.unit {
            Unit::Share => format!("{:+.1} points", (self.predicted - self.measured) * 1e2),
            Unit::Milliseconds | Unit::Count => format!("{:+.0} %", self.off() * 1e2),
        }
    }

    /// Whether the prediction is close enough.
    #[must_use]
    pub fn close(&self) -> bool {
        let near = self.unit == Unit::Share
            && (self.predicted - self.measured).abs() <= CLOSE_SHARE + f64::EPSILON;
        near || self.off().abs() <= CLOSE
    }

    fn sentence(&self) -> String {
        let Self { what, unit, predicted, range: (low, high), measured } = *self;
        let [predicted, low, high, measured] =
            [predicted, low, high, measured].map(|of| unit.show(of));
        let off = self.off_in_words();
        format!("{what}: predicted {predicted} ({low} to {high}), measured {measured} ({off})")
    }
}

/// Measures every traffic for at least this many seconds, and predicts the same figures; only what has a text in its name, if
/// one is given.
///
/// # Errors
/// If something that is needed does not start.
pub fn run(seconds: u64, only: Option<&str>) -> Result<Reality, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let mut machine = Machine::here();
    let (runs, without_shares) = scenarios::run(&runtime, seconds, only)?;
    machine.load_after = machine::load();
    machine.seconds = begun.elapsed().as_secs_f64();
    Ok(Reality { machine, runs, without_shares })
}

/// Writes the page, below the root of the workspace.
///
/// # Errors
/// If the page has no markers, or cannot be written.
pub fn write(reality: &Reality, root: &Path) -> Result<(), String> {
    page::write(reality, root)
}

/// The planner's input about an App, measured one request at a time on this machine.
#[derive(Clone, Debug)]
struct App {
    /// The service time of a request, without queueing.
    service: Distribution,
    /// The share of that time in which the request holds a connection.
    database_share: f64,
    /// The share of that time on a processor.
    processor_share: f64,
    /// The share of that before the query.
    processor_before: f64,
    /// How long an environment takes from its start to its first poll; empty for a process.
    starts: Vec<f64>,
}

impl std::fmt::Display for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { service, database_share, processor_share, processor_before: _, starts } = self;
        write!(f, "{:.1} ms on average, ", service.mean() * 1e3)?;
        write!(f, "{:.0} % with a connection, ", database_share * 1e2)?;
        write!(f, "{:.1} % on a processor", processor_share * 1e2)?;
        match starts.iter().copied().reduce(f64::max) {
            Some(most) => write!(f, "; a start takes at most {:.1} ms", most * 1e3),
            None => Ok(()),
        }
    }
}

/// The figures of one traffic, predicted or measured.
#[derive(Clone, Copy, Debug)]
struct Figures {
    p50: Duration,
    p99: Duration,
    connections: f64,
    refused: f64,
}

/// The figures of several simulations, each as it would be measured.
#[derive(Clone, Debug)]
struct Prediction(Vec<Figures>);

impl Prediction {
    /// The median of a figure, and between which values four of five simulations are.
    fn of(&self, figure: &dyn Fn(&Figures) -> f64) -> (f64, (f64, f64)) {
        let mut values = self.0.iter().map(figure).collect::<Vec<_>>();
        values.sort_by(f64::total_cmp);
        let last = values.len().saturating_sub(1);
        let at = |tenths: usize| values.get(last * tenths / 10).copied().unwrap_or_default();
        (at(5), (at(1), at(9)))
    }

    /// Whether one measurement of this length is good enough: four of five simulations are within half of what is close.
    fn settled(&self) -> bool {
        let near = |figure: &dyn Fn(&Figures) -> f64| {
            let (median, (low, high)) = self.of(figure);
            high - median <= median * CLOSE / 2.0 && median - low <= median * CLOSE / 2.0
        };
        near(&|found| found.p50.as_secs_f64()) && near(&|found| found.p99.as_secs_f64())
    }

    fn beside(&self, measured: Figures) -> Vec<Figure> {
        let figure = |what, unit, of: &dyn Fn(&Figures) -> f64| {
            let (predicted, range) = self.of(of);
            Figure { what, unit, predicted, range, measured: of(&measured) }
        };
        vec![
            figure("p50", Unit::Milliseconds, &|found| found.p50.as_secs_f64() * 1e3),
            figure("p99", Unit::Milliseconds, &|found| found.p99.as_secs_f64() * 1e3),
            figure("connections at once, at most", Unit::Count, &|found| found.connections),
            figure("refused", Unit::Share, &|found| found.refused),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(unit: Unit, predicted: f64, measured: f64) -> Figure {
        Figure { what: "a figure", unit, predicted, range: (predicted, predicted), measured }
    }

    #[test]
    fn a_measurement_is_long_enough_if_chance_is_within_an_eighth() {
        let found = |millis: u64| Figures {
            p50: Duration::from_millis(millis),
            p99: Duration::from_millis(200),
            connections: 1.0,
            refused: 0.0,
        };
        // The median is 100, the second lowest and highest of eleven bound four of five.
        let of = |low, high| {
            let middle = [100; 7];
            let all = [1, low].into_iter().chain(middle).chain([high, 900]);
            Prediction(all.map(found).collect())
        };
        assert!(of(88, 112).settled());
        assert!(!of(87, 112).settled() && !of(88, 113).settled());
        assert_eq!(of(88, 112).of(&|found| found.p50.as_secs_f64()), (0.1, (0.088, 0.112)));
    }

    #[test]
    fn a_quarter_is_close() {
        let close = |predicted| figure(Unit::Milliseconds, predicted, 100.0).close();
        assert!(close(75.0) && close(125.0));
        assert!(!close(74.0) && !close(126.0));
    }

    #[test]
    fn a_share_is_close_within_a_quarter_or_a_hundredth_of_all_requests() {
        let close = |predicted, measured| figure(Unit::Share, predicted, measured).close();
        assert!(close(0.24, 0.2) && close(0.16, 0.2) && !close(0.26, 0.2));
        assert!(close(0.01, 0.0) && close(0.0, 0.01) && !close(0.011, 0.0));
        assert_eq!(figure(Unit::Share, 0.0, 0.0).off_in_words(), "+0.0 points");
    }

    #[test]
    fn something_that_was_not_predicted_is_not_close() {
        assert!(!figure(Unit::Count, 1.0, 0.0).close() && !figure(Unit::Count, 0.0, 1.0).close());
    }
}
