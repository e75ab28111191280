//! `anyhost compare`: recorded traffics side by side.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::options::{App, Db, GapsOption, Simulation};
use super::watch::Watch;
use super::{Failure, print};
use crate::comparison::Comparison;
use crate::report;
use crate::traffic::Traffic;

/// Simulates every host under several recorded traffics, side by side.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// A recorded traffic; may be given several times
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    trace: Vec<PathBuf>,
    /// What offsets mean that a trace skips
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
}

impl Compare {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode, Failure> {
        let workload = self.app.workload(self.db.database())?;
        let catalog = self.simulation.catalog()?;
        // All are read before the first is simulated: a fault in the last is told at once.
        let traffics = self.trace.iter().map(|path| Traffic::read(path, self.gaps.into()));
        let traffics = traffics.collect::<Result<Vec<_>, _>>().map_err(Failure::data)?;
        let comparisons = traffics.iter().map(|traffic| {
            let watch = Watch::new();
            Comparison::new(
                &catalog,
                self.simulation.names(),
                &workload,
                traffic,
                &self.simulation.options(),
                &self.simulation.goals(),
                |host| watch.host(host),
            )
        });
        let comparisons = comparisons.collect::<Vec<_>>();
        let text =
            if self.json { report::json(&comparisons) } else { report::side_by_side(&comparisons) };
        print(out, &text)?;
        Ok(ExitCode::SUCCESS)
    }
}
