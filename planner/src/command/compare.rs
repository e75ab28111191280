//! `anyhost compare`: two answers, or several traffics, side by side.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::demand::FileOptions;
use super::options::{App, Db, Simulation};
use super::watch::Watch;
use super::{Failure, print};
use crate::answer::{Answer, Question};
use crate::report;
use crate::sources;
use crate::traffic::Demand;

/// Compares two answers that `plan --json` wrote, or searches every host under several recorded traffics.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Two answers, as `plan --json` writes them
    #[arg(
        value_name = "JSON",
        num_args = 2,
        required_unless_present = "trace",
        conflicts_with = "trace"
    )]
    answers: Vec<PathBuf>,
    /// A recorded traffic; may be given several times
    #[arg(long, value_name = "FILE", num_args = 1..)]
    trace: Vec<PathBuf>,
    #[command(flatten)]
    file: FileOptions,
    #[command(flatten)]
    app: App,
    #[command(flatten)]
    db: Db,
    #[command(flatten)]
    simulation: Simulation,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode, Failure> {
        if let [first, second] = self.answers.as_slice() {
            let text = report::difference(first, second).map_err(Failure::data)?;
            print(out, &text)?;
            return Ok(ExitCode::SUCCESS);
        }
        let catalog = self.simulation.catalog()?;
        // All are read before the first is simulated: a fault in the last is reported at once.
        let read = self.trace.iter().map(|path| sources::read(path, &self.file.options()));
        let read = read.collect::<Result<Vec<_>, _>>().map_err(Failure::data)?;
        let mut answers = Vec::new();
        for source in read {
            let workload = self.app.workload(self.db.database(), source.service)?;
            let bill = self.simulation.bill(&workload, source.response_bytes);
            let Some(traffic) = source.traffic else {
                return Err(Failure::data("a log without timestamps gives no traffic"));
            };
            let demand = Demand::from(traffic);
            let watch = Watch::new();
            let question = Question {
                catalog: &catalog,
                names: self.simulation.names(),
                workload: &workload,
                demand: &demand,
                goals: self.simulation.goals(&workload),
                bill: &bill,
                options: self.simulation.options(),
                flips: false,
            };
            answers.push(Answer::new(&question, |host| watch.host(host)));
        }
        let text = if self.json { report::json(&answers) } else { report::side_by_side(&answers) };
        print(out, &text)?;
        Ok(ExitCode::SUCCESS)
    }
}
