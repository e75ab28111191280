//! `anyhost plan`: every host under one traffic.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::options::{App, Db, GapsOption, Simulation};
use super::watch::Watch;
use super::{Failure, print, scale};
use crate::comparison::Comparison;
use crate::report;
use crate::traffic::{Pattern, Traffic};

/// Simulates every host under one traffic and says which to take.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// steady, daily, weekly, spikes, flash or growth, with parameters: daily:mean=20,swing=0.8,days=7
    #[arg(value_name = "PATTERN", required_unless_present = "trace", conflicts_with = "trace")]
    pattern: Option<Pattern>,
    /// A recorded traffic: CSV with the columns minute,requests or second,requests
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// What offsets mean that the trace skips
    #[arg(long, value_enum, default_value = "refuse")]
    gaps: GapsOption,
    #[command(flatten)]
    app: App,
    #[command(flatten)]
    db: Db,
    #[command(flatten)]
    simulation: Simulation,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Write a page with plots to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print what this run itself took, as JSON: for `anyhost scale`
    #[arg(long, hide = true)]
    measure: bool,
}

impl Plan {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode, Failure> {
        let begun = std::time::Instant::now();
        let traffic = match (&self.trace, &self.pattern) {
            (Some(path), _) => Traffic::read(path, self.gaps.into()).map_err(Failure::data)?,
            (None, Some(pattern)) => pattern.traffic(self.simulation.options().seed),
            (None, None) => return Err(Failure::usage("give a pattern or --trace")),
        };
        if traffic.requests() == 0 {
            return Err(Failure::data(format!("{}: has no requests at all", traffic.name())));
        }
        let workload = self.app.workload(self.db.database())?;
        let catalog = self.simulation.catalog()?;
        let watch = Watch::new();
        let comparison = Comparison::new(
            &catalog,
            self.simulation.names(),
            &workload,
            &traffic,
            &self.simulation.options(),
            &self.simulation.goals(),
            |host| watch.host(host),
        );
        drop(watch);
        if let Some(path) = &self.html {
            let page = report::page(&comparison, &catalog, &workload);
            fs::write(path, page)
                .map_err(|error| Failure::output(&path.display().to_string(), &error))?;
        }
        if self.measure {
            print(out, &scale::measurement(&comparison, begun.elapsed()))?;
        } else if self.json {
            print(out, &report::json(&comparison))?;
        } else {
            print(out, &report::table(&comparison))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
