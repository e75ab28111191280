//! Where the traffic comes from: a pattern, two figures, or a file.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::options::{GapsOption, rate};
use crate::sources::{self, SourceOptions, TimeUnit, Values};
use crate::traffic::{Demand, Pattern};
use crate::workload::Distribution;

/// Where the traffic comes from.
#[derive(Debug, Args)]
#[command(next_help_heading = "The traffic")]
pub(crate) struct DemandOptions {
    /// A shape: steady:mean=10 | daily:mean=10,swing=0.8 | weekly:mean=10,swing=0.8,weekend=0.4 |
    /// spikes:mean=1,peak=100,every=6h,length=2m | flash:mean=5,peak=500,at=12h,rise=1m,fall=1h |
    /// growth:mean=1,factor=10,swing=0.5; all with days=7
    #[arg(value_name = "PATTERN", conflicts_with = "mean")]
    pattern: Option<Pattern>,
    /// A file: an access log, exported metrics, or a trace; - is stdin; gzip is unpacked. Its format is found out. A log
    /// gives traffic and service time; beside a pattern it gives the service time alone
    #[arg(long, value_name = "FILE", visible_alias = "trace")]
    from: Option<PathBuf>,
    #[command(flatten)]
    file: FileOptions,
    /// Requests a second on average
    #[arg(long, value_name = "RATE", value_parser = rate)]
    mean: Option<f64>,
    /// Requests a second at the peak [default: as on average]
    #[arg(long, value_name = "RATE", value_parser = rate, requires = "mean")]
    peak: Option<f64>,
}

/// What a file leaves open.
#[derive(Debug, Args)]
pub(crate) struct FileOptions {
    /// What intervals mean that a trace or export skips
    #[arg(long, value_enum, default_value = "refuse")]
    gaps: GapsOption,
    /// The unit of durations in a log whose name has none
    #[arg(long, value_enum)]
    time_unit: Option<TimeUnit>,
    /// What the values of a metric are
    #[arg(long, value_enum)]
    values: Option<Values>,
}

impl FileOptions {
    pub(crate) fn options(&self) -> SourceOptions {
        let Self { gaps, time_unit, values } = *self;
        SourceOptions { gaps: gaps.into(), time_unit, values }
    }
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) demand: Demand,
    /// The service time, if the file has it.
    pub(crate) service: Option<Distribution>,
    /// The mean size of a response, if the file has it.
    pub(crate) response_bytes: Option<f64>,
    /// What was used of the file, in sentences.
    pub(crate) coverage: Vec<String>,
}

impl DemandOptions {
    pub(crate) fn read(&self, seed: u64) -> Result<Read, Failure> {
        let source = self.from.as_ref().map(|path| sources::read(path, &self.file.options()));
        let source = source.transpose().map_err(Failure::data)?;
        let drawn = match (&self.pattern, self.mean) {
            (Some(pattern), _) => Some(pattern.clone()),
            (None, Some(mean)) => {
                let peak = self.peak.unwrap_or(mean);
                if peak < mean {
                    return Err(Failure::usage("--peak must not be below --mean"));
                }
                if peak > 5000.0 * mean {
                    let line = "--peak is more than 5000 times --mean: say when it comes with a pattern or a file";
                    return Err(Failure::usage(line));
                }
                Some(Pattern::of_mean_and_peak(mean, peak))
            }
            (None, None) => None,
        };
        let recorded = source.as_ref().and_then(|source| source.traffic.clone());
        let demand = match (drawn, recorded) {
            (Some(pattern), _) => Demand::drawn(pattern, seed),
            (None, Some(traffic)) => traffic.into(),
            (None, None) if source.is_some() => {
                let line =
                    "has no timestamps, so it gives no traffic; give a pattern or --mean besides";
                let file = self.from.as_ref().map(|path| path.display().to_string());
                return Err(Failure::data(format!("{}: {line}", file.unwrap_or_default())));
            }
            (None, None) => {
                return Err(Failure::usage("give a pattern, --from FILE, or --mean with --peak"));
            }
        };
        let read = Read {
            demand,
            service: source.as_ref().and_then(|source| source.service.clone()),
            response_bytes: source.as_ref().and_then(|source| source.response_bytes),
            coverage: source.map(|source| source.coverage).unwrap_or_default(),
        };
        if read.demand.traffic.requests() == 0 {
            let name = read.demand.traffic.name();
            return Err(Failure::data(format!("{name}: has no requests at all")));
        }
        Ok(read)
    }
}
