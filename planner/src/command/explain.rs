//! `anyhost explain`: the connection arithmetic of a deployment.

use std::io::Write;
use std::process::ExitCode;

use anyhost_core::Paradigm;
use anyhost_core::adapter::Exit;
use anyhost_core::db::Plan;
use clap::Args;

use super::options::Db;
use super::{Failure, print};
use crate::connections;

/// Prints the connection arithmetic of a deployment, as a process of it would.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A function: one request at a time in each environment
    #[arg(long)]
    serverless: bool,
    /// Instances, or environments at once
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    instances: u32,
    /// Processors of one instance
    #[arg(long, value_name = "COUNT", default_value_t = 1.0)]
    cores: f64,
    /// How many times as many processes there are during a deploy
    #[arg(long, value_name = "FACTOR", default_value_t = 2.0)]
    overlap: f64,
    #[command(flatten)]
    db: Db,
}

impl Explain {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode, Failure> {
        let cores = self.cores > 0.0 && self.cores <= 4096.0;
        if !cores || !(1.0..=10.0).contains(&self.overlap) {
            return Err(Failure::usage("--overlap is from 1 to 10, --cores above 0"));
        }
        let paradigm = if self.serverless { Paradigm::Serverless } else { Paradigm::LongRunning };
        let instances = self.instances as usize;
        let database = self.db.database();
        let inputs = connections::inputs(paradigm, self.cores, instances, self.overlap, &database);
        match Plan::new(&inputs) {
            Ok(plan) => {
                print(out, &format!("{plan}.\n"))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                print(out, &format!("It would not start: {error}.\n"))?;
                if let Ok(smaller) =
                    connections::deploy(paradigm, self.cores, instances, self.overlap, &database)
                {
                    let (most, plan) = (smaller.instances, &smaller.plan);
                    print(out, &format!("The most that fit are {most}: {plan}.\n"))?;
                }
                Ok(Exit::Config.into())
            }
        }
    }
}
