//! The commands of the program `anyhost`.

mod check_manifests;
mod compare;
mod demand;
mod explain;
mod options;
mod plan;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhost_core::adapter::Exit;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

/// Which paradigm suits a traffic, with how many connections, at what cost.
#[derive(Debug, Parser)]
#[command(name = "anyhost", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Searches every host for its cheapest configuration and says which to take
    Plan(Box<plan::Plan>),
    /// Two answers, or several recorded traffics, side by side
    Compare(Box<compare::Compare>),
    /// Prints the connection arithmetic of a deployment, as a process of it would
    Explain(explain::Explain),
    /// Checks deployment files against the connection plan and each other
    CheckManifests(check_manifests::CheckManifests),
}

/// Why a command ends without a result: one line, and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) line: String,
}

impl Failure {
    /// Exit code 65, `EX_DATAERR`: what was given to read is wrong.
    pub(crate) fn data(error: impl ToString) -> Self {
        Self { code: 65, line: error.to_string() }
    }

    /// Exit code 64: the command line is wrong.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Self { code: Exit::Usage.code(), line: line.into() }
    }

    /// Exit code 74, `EX_IOERR`: what should be written cannot be.
    pub(crate) fn output(what: &str, error: &io::Error) -> Self {
        Self { code: 74, line: format!("{what}: {error}") }
    }
}

/// The whole program: reads the command line, writes to stdout, and to stderr one line if it fails.
#[must_use]
pub fn main() -> ExitCode {
    let line = match Arguments::try_parse() {
        Ok(line) => line,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let lost = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            // A reader that is gone needs no help.
            let _ = match asked || lost {
                true => error.print(),
                false => writeln!(io::stderr(), "anyhost: {}", one_line(&error.to_string())),
            };
            return if asked { ExitCode::SUCCESS } else { Exit::Usage.into() };
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let result = match line.command {
        Command::Plan(plan) => plan.run(&mut out),
        Command::Compare(compare) => compare.run(&mut out),
        Command::Explain(explain) => explain.run(&mut out),
        Command::CheckManifests(check) => check.run(&mut out),
    };
    let result = result.and_then(|code| match out.flush() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::output("stdout", &error))
        }
        _ => Ok(code),
    });
    match result {
        Ok(code) => code,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "anyhost: {}", failure.line);
            ExitCode::from(failure.code)
        }
    }
}

/// What the parser of the command line found, without the usage.
fn one_line(text: &str) -> String {
    let found = text.split("\n\n").next().unwrap_or_default();
    let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}; see --help", found.strip_prefix("error: ").unwrap_or(&found))
}

/// Writes to stdout; a reader that has gone away is no fault.
pub(crate) fn print(out: &mut impl Write, text: &str) -> Result<(), Failure> {
    match out.write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::output("stdout", &error))
        }
        _ => Ok(()),
    }
}
