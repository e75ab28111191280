//! Service times out of log lines: their unit, with the evidence for it, and whether they can be true.

use crate::text::{duration, percent};
use crate::workload::Distribution;

/// The unit of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TimeUnit {
    /// Seconds
    S,
    /// Milliseconds
    Ms,
    /// Microseconds
    Us,
    /// Nanoseconds
    Ns,
}

impl TimeUnit {
    const ALL: [Self; 4] = [Self::S, Self::Ms, Self::Us, Self::Ns];

    /// Seconds of one.
    pub(super) fn seconds(self) -> f64 {
        match self {
            Self::S => 1.0,
            Self::Ms => 1e-3,
            Self::Us => 1e-6,
            Self::Ns => 1e-9,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::S => "seconds",
            Self::Ms => "milliseconds",
            Self::Us => "microseconds",
            Self::Ns => "nanoseconds",
        }
    }
}

/// A duration as a line has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Took {
    pub(super) number: f64,
    /// Its unit; `None` if neither the format nor the name says it.
    pub(super) unit: Option<TimeUnit>,
}

impl Took {
    pub(super) fn new(number: f64, unit: TimeUnit) -> Self {
        Self { number, unit: Some(unit) }
    }
}

/// The longest service time that is believed, in seconds: a day.
const LONGEST: f64 = 86_400.0;

/// Medians of service times that are believed, in seconds: an answer from memory to half a minute.
const MEDIANS: (f64, f64) = (1e-6, 30.0);

/// Medians that are likely if the unit is not known.
const LIKELY: (f64, f64) = (2e-4, 10.0);

/// The share of lines with a time that is needed for the times to stand for all requests.
const ENOUGH: f64 = 0.9;

/// The distribution of the times of so many requests, and what is to say about it.
///
/// # Errors
/// One line if the unit cannot be told, or the times cannot be true.
pub(super) fn distribution(
    times: &[Took],
    requests: usize,
    unit: Option<TimeUnit>,
) -> Result<(Option<Distribution>, String), String> {
    if times.is_empty() {
        return Ok((
            None,
            "No line says how long a request took: the service time is --service.".into(),
        ));
    }
    let share = times.len() as f64 / requests.max(1) as f64;
    if share < ENOUGH {
        return Ok((
            None,
            format!(
                "Only {} of {requests} requests ({}) say how long they took, too few to stand for all: the service time is \
                 --service.",
                times.len(),
                percent(share)
            ),
        ));
    }
    let open = times.iter().filter(|took| took.unit.is_none()).map(|took| took.number);
    let open = median(open.collect());
    let (assumed, evidence) = match (open, unit) {
        (None, _) => (None, "unit by the format".to_owned()),
        (Some(_), Some(unit)) => (Some(unit), format!("{} as said", unit.name())),
        (Some(median), None) => {
            let likely = TimeUnit::ALL.into_iter().filter(|unit| {
                let seconds = median * unit.seconds();
                (LIKELY.0..=LIKELY.1).contains(&seconds)
            });
            match likely.collect::<Vec<_>>().as_slice() {
                [unit] => (
                    Some(*unit),
                    format!(
                        "taken for {}: nothing else makes a median of {median} likely",
                        unit.name()
                    ),
                ),
                _ => {
                    return Err(format!(
                        "the unit of the durations cannot be told (the median is {}); say it with --time-unit s, ms, us or ns",
                        if median < 1e9 { median.to_string() } else { format!("{median:e}") }
                    ));
                }
            }
        }
    };
    let seconds =
        times.iter().map(|took| took.number * took.unit.or(assumed).map_or(1.0, TimeUnit::seconds));
    let believed = seconds.filter(|seconds| *seconds <= LONGEST).collect::<Vec<_>>();
    let left_out = match times.len() - believed.len() {
        0 => String::new(),
        many => format!(", without {many} of more than a day"),
    };
    if (believed.len() as f64) < ENOUGH * times.len() as f64 {
        return Err(
            "a tenth of the requests would take more than a day: these are no service times, or their unit is another \
             (--time-unit)"
                .into(),
        );
    }
    let distribution = Distribution::measured(believed);
    let distribution = distribution.filter(|found| found.mean() > 0.0);
    let Some(found) = distribution else {
        return Err("all durations are 0".into());
    };
    let median = found.median();
    if !(MEDIANS.0..=MEDIANS.1).contains(&median) {
        return Err(format!(
            "half of the requests would take more than {}: these are no service times, or their unit is another (--time-unit)",
            duration(median)
        ));
    }
    let said = format!(
        "Service time: p50 {}, mean {}, p99 {} ({} of {requests} requests{left_out}; {evidence}).",
        duration(median),
        duration(found.mean()),
        duration(found.p99()),
        times.len(),
    );
    Ok((Some(found), said))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
