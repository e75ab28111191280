//! `anyhost explain`: the connection arithmetic of a deployment.

use std::io::Write;
use std::process::ExitCode;

use anyhost_core::Paradigm;
use anyhost_core::adapter::Exit;
use clap::Args;

use super::options::Db;
use super::{Failure, print};
use crate::connections::Deployment;

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
    /// DATABASE_POOL_SIZE [default: core's own formula]
    #[arg(long, value_name = "COUNT", value_parser = super::options::one_or_more)]
    pool_size: Option<usize>,
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
        let Some(database) = self.db.database() else {
            return Err(Failure::usage("an App without a database plans no connections"));
        };
        let deployment = Deployment {
            paradigm,
            cores: self.cores,
            concurrency: 1,
            instances: self.instances as usize,
            overlap: self.overlap,
            pool_size: self.pool_size,
        };
        match deployment.pool(&database) {
            Ok(pool) => {
                print(out, &format!("{}.\n", pool.explanation))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                print(out, &format!("It would not start: {error}.\n"))?;
                let most = deployment.most_instances(&database);
                let smaller = Deployment { instances: most, ..deployment };
                if let (1.., Ok(pool)) = (most, smaller.pool(&database)) {
                    print(out, &format!("The most that fit are {most}: {}.\n", pool.explanation))?;
                }
                Ok(Exit::Config.into())
            }
        }
    }
}
