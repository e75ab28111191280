//! `anyhost plan`: the cheapest configuration of every host under one traffic.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::demand::DemandOptions;
use super::options::{App, Db, Simulation};
use super::watch::Watch;
use super::{Failure, print};
use crate::answer::{Answer, Question};
use crate::report;

/// Exit code if no host reaches the goals.
const NO_HOST: u8 = 2;

/// Searches every host for its cheapest configuration and says which to take.
///
/// Exit code 0: a host reaches the goals; 2: none does; 64: the command line is wrong; 65: a file is wrong.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    demand: DemandOptions,
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
    /// Do not look for the loads at which the answer changes
    #[arg(long)]
    no_flips: bool,
}

impl Plan {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode, Failure> {
        let catalog = self.simulation.catalog()?;
        let read = self.demand.read(self.simulation.options().seed)?;
        let workload = self.app.workload(self.db.database(), read.service)?;
        let bill = self.simulation.bill(&workload, read.response_bytes);
        let watch = Watch::new();
        let question = Question {
            catalog: &catalog,
            names: self.simulation.names(),
            workload: &workload,
            demand: &read.demand,
            goals: self.simulation.goals(&workload),
            bill: &bill,
            options: self.simulation.options(),
            flips: !self.no_flips,
        };
        let mut answer = Answer::new(&question, |host| watch.host(host));
        drop(watch);
        answer.warnings.splice(0..0, read.coverage);
        if let Some(path) = &self.html {
            fs::write(path, report::page(&answer))
                .map_err(|error| Failure::output(&path.display().to_string(), &error))?;
        }
        if self.json {
            print(out, &report::json(&answer))?;
        } else {
            print(out, &report::table(&answer))?;
        }
        Ok(match answer.host {
            Some(_) => ExitCode::SUCCESS,
            None => ExitCode::from(NO_HOST),
        })
    }
}
