//! `anyhost check-manifests`: deployment files against the connection plan and each other.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Failure, print};
use crate::manifests;

/// Checks deployment files against the connection plan and each other.
#[derive(Debug, Args)]
pub(crate) struct CheckManifests {
    /// The folder; files below it are read
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The most connections the server takes, if no file says so
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = super::options::many)]
    max_connections: usize,
}

impl CheckManifests {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode, Failure> {
        let report = manifests::check(&self.folder, self.max_connections).map_err(Failure::data)?;
        print(out, &report.to_string())?;
        Ok(if report.faults() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
