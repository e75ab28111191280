//! The results of a run, as `bench/results.json` stores them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::process::Counters;

/// Everything that one run measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// The machine of the run.
    pub machine: Machine,
    /// The versions of the peers, and of the libraries and servers that both sides use.
    pub versions: BTreeMap<String, String>,
    /// The comparisons.
    pub contests: Vec<Contest>,
    /// Curves over a quantity.
    #[serde(default)]
    pub curves: Vec<Curve>,
    /// System calls, if strace is installed.
    #[serde(default)]
    pub calls: Vec<Calls>,
}

/// Contenders that did the same thing in turn; the first is ours.
#[derive(Debug, Serialize, Deserialize)]
pub struct Contest {
    /// Its name in the results: `pool/16`.
    pub id: String,
    /// The work of one iteration.
    pub title: String,
    /// The turns of each contender.
    pub entries: Vec<Entry>,
}

/// The turns of one contender.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The turns, one for each round.
    pub turns: Vec<Turn>,
}

/// The measurements of one turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The number of successful iterations.
    pub done: u64,
    /// The number of failed iterations.
    #[serde(default)]
    pub failed: u64,
    /// How long it took.
    pub seconds: f64,
    /// Processor time of the process that is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Processor time of the database server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_cpu_seconds: Option<f64>,
    /// Resident memory of the process at the end of the turn, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// The median time of an iteration, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<f64>,
    /// The 99th percentile of the times, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
    /// The longest time, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Round trips to the database server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trips: Option<u64>,
    /// Counters of the measured process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
}

/// System calls of a contender for each iteration, counted in a separate turn, because counting
/// slows the contender down.
#[derive(Debug, Serialize, Deserialize)]
pub struct Calls {
    /// The contest.
    pub contest: String,
    /// The contender.
    pub contender: String,
    /// The number of calls for each iteration.
    pub each: f64,
}

/// A diagram: one or more lines over a quantity.
#[derive(Debug, Serialize, Deserialize)]
pub struct Curve {
    /// Its name in the results, and of its plot.
    pub id: String,
    /// The title of the plot.
    pub title: String,
    /// The quantity that changes.
    pub x: String,
    /// The quantity on the vertical axis.
    pub y: String,
    /// Whether the quantity grows by factors.
    pub logarithmic: bool,
    /// The lines: a name, and its points in order.
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// A metric of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Iterations for each second.
    Throughput,
    /// Seconds for each iteration.
    Time,
    /// Processor seconds of the measured process for each iteration.
    Cpu,
    /// Processor seconds of the measured process and of the database server for each iteration, which together
    /// occupy a machine that runs both.
    AllCpu,
    /// Bytes of resident memory.
    Memory,
    /// The time within which 99 of 100 are done, in microseconds.
    P99,
}

impl Metric {
    /// The metric of one turn, if the turn has it.
    #[must_use]
    pub fn read(self, turn: &Turn) -> Option<f64> {
        let done = turn.done.max(1) as f64;
        match self {
            Self::Throughput => Some(turn.done as f64 / turn.seconds),
            Self::Time => Some(turn.seconds / done),
            Self::Cpu => turn.cpu_seconds.map(|seconds| seconds / done),
            Self::AllCpu => Some((turn.cpu_seconds? + turn.server_cpu_seconds?) / done),
            Self::Memory => turn.memory.map(|bytes| bytes as f64),
            Self::P99 => turn.p99,
        }
    }

    /// A value in the unit a reader expects.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Throughput => format!("{value:.0}/s"),
            Self::Time | Self::Cpu | Self::AllCpu => duration(value),
            Self::Memory => format!("{:.1} MiB", value / f64::from(1 << 20)),
            Self::P99 => duration(value / 1e6),
        }
    }
}

/// Formats seconds in the unit that needs the fewest digits.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

/// The median of several values, with the smallest and the largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The smallest value.
    pub min: f64,
    /// The median.
    pub median: f64,
    /// The largest value.
    pub max: f64,
}

impl Spread {
    /// The spread of some values; `None` if there are none.
    #[must_use]
    pub fn from_values(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[half],
            _ => (values[half - 1] + values[half]) / 2.0,
        };
        Some(Self { min, median, max })
    }
}

impl Entry {
    /// The spread of a metric over all turns.
    #[must_use]
    pub fn spread(&self, metric: Metric) -> Option<Spread> {
        Spread::from_values(self.turns.iter().filter_map(|turn| metric.read(turn)))
    }
}

impl Contest {
    /// The spread of the ratios of our value to a peer's, one ratio for each round.
    #[must_use]
    pub fn ratio(&self, peer: &str, metric: Metric) -> Option<Spread> {
        let ours = self.entries.first()?;
        let peer = self.entries.iter().find(|entry| entry.name == peer)?;
        Spread::from_values(
            ours.turns
                .iter()
                .zip(&peer.turns)
                .filter_map(|(ours, peer)| Some(metric.read(ours)? / metric.read(peer)?)),
        )
    }
}

/// One line for each contender, for the progress report.
impl fmt::Display for Contest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.title)?;
        for entry in &self.entries {
            write!(f, "\n  {:<34}", entry.name)?;
            for metric in
                [Metric::Throughput, Metric::Cpu, Metric::AllCpu, Metric::P99, Metric::Memory]
            {
                if let Some(spread) = entry.spread(metric) {
                    write!(f, " {:>12}", metric.show(spread.median))?;
                }
            }
            if let Some(ratio) = self.ratio(&entry.name, Metric::Throughput) {
                write!(f, "   ours × {:.2} ({:.2}–{:.2})", ratio.median, ratio.min, ratio.max)?;
            }
            if let Some(ratio) = self.ratio(&entry.name, Metric::AllCpu) {
                write!(f, "   all CPU × {:.2}", ratio.median)?;
            } else if let Some(ratio) = self.ratio(&entry.name, Metric::Cpu) {
                write!(f, "   CPU × {:.2} ({:.2}–{:.2})", ratio.median, ratio.min, ratio.max)?;
            }
            let failed: u64 = entry.turns.iter().map(|turn| turn.failed).sum();
            if failed > 0 {
                write!(f, "   {failed} FAILED")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, done: &[u64]) -> Entry {
        let turn = |&done: &u64| Turn { done, seconds: 1.0, ..Turn::default() };
        Entry { name: name.into(), turns: done.iter().map(turn).collect() }
    }

    #[test]
    fn a_ratio_is_the_median_of_the_ratios_of_pairs() {
        let contest = Contest {
            id: "a".into(),
            title: "a".into(),
            // The machine slows down for both sides of the last pair.
            entries: vec![entry("ours", &[20, 30, 2]), entry("theirs", &[10, 10, 1])],
        };
        let ratio = contest.ratio("theirs", Metric::Throughput);
        assert_eq!(ratio, Some(Spread { min: 2.0, median: 2.0, max: 3.0 }));
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        assert_eq!(
            Spread::from_values([1.0, 2.0, 4.0, 9.0]).map(|spread| spread.median),
            Some(3.0)
        );
        assert_eq!(Spread::from_values([]), None);
    }
}
