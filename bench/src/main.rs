//! The command line of the benchmarks: runs them, renders their page, and plays the servers that are compared.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhost_bench::contest::say;
use anyhost_bench::effort::Effort;
use anyhost_bench::runs::{PARTS, Part};
use anyhost_bench::{headlines, page, reality, runs, soak, subjects};
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Measure everything and write BENCHMARKS.md, its plots and the README's table
    Full {
        /// Only these parts, into a results file alone: lambda, pool, http, storm, growth
        parts: Vec<Part>,
        /// Where the results go
        #[arg(long, default_value = "bench/results.json")]
        results: PathBuf,
    },
    /// Measure the headline ratios; exit 1 if one is missed by more than 10 %
    Quick {
        /// Only these parts: lambda, pool, http
        parts: Vec<Part>,
    },
    /// Do everything once, for moments: whether it works
    Smoke {
        /// Only these parts: lambda, pool, http, storm, growth
        parts: Vec<Part>,
    },
    /// Write BENCHMARKS.md, its plots and the README's table from results
    Render {
        /// Where the results are
        #[arg(long, default_value = "bench/results.json")]
        results: PathBuf,
    },
    /// Hold the planner's predictions against notes under real traffic and write the page about it
    Reality {
        /// How long each traffic lasts at least
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Only these: process, functions, shares or recommended; writes no page
        #[arg(long)]
        only: Option<String>,
        /// Print what was found as JSON and write no page
        #[arg(long)]
        json: bool,
    },
    /// A mixed load with clients that go away and slow ones beside it; exit 1 if a request fails or the server grows
    Soak {
        /// How long it lasts
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        /// How many slow clients there are
        #[arg(long, default_value_t = 2000)]
        slow: usize,
    },
    /// Be one of the servers that are compared: ours, actix or axum
    #[command(hide = true)]
    Serve {
        kind: subjects::Kind,
        #[arg(long)]
        database: Option<String>,
    },
}

fn main() -> ExitCode {
    match outcome(CommandLine::parse().verb) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            say(&format!("error: {problem}"));
            ExitCode::FAILURE
        }
    }
}

fn outcome(verb: Verb) -> Result<bool, String> {
    match verb {
        Verb::Full { parts, results } => {
            let measured = runs::run(Effort::Full, chosen(&parts))?;
            write(&results, &serde_json::to_string(&measured).map_err(|error| error.to_string())?)?;
            print(&headlines::verdict(&measured).0);
            if parts.is_empty() {
                page::write(&measured, Path::new("."))?;
            }
            Ok(true)
        }
        Verb::Quick { parts } => {
            let measured = runs::run(Effort::Quick, chosen(&parts))?;
            let (text, good) = headlines::verdict(&measured);
            print(&text);
            Ok(good || !parts.is_empty())
        }
        Verb::Smoke { parts } => {
            let measured = runs::run(Effort::Smoke, chosen(&parts))?;
            print(&serde_json::to_string(&measured).map_err(|error| error.to_string())?);
            Ok(true)
        }
        Verb::Render { results } => {
            let text = std::fs::read_to_string(&results);
            let text = text.map_err(|error| format!("{}: {error}", results.display()))?;
            let measured = serde_json::from_str(&text);
            let measured = measured.map_err(|error| format!("{}: {error}", results.display()))?;
            page::write(&measured, Path::new("."))?;
            Ok(true)
        }
        Verb::Reality { seconds, only, json } => {
            let found = reality::run(seconds, only.as_deref())?;
            if json {
                print(&serde_json::to_string(&found).map_err(|error| error.to_string())?);
            } else if only.is_none() {
                reality::write(&found, Path::new("."))?;
            }
            Ok(true)
        }
        Verb::Soak { seconds, slow } => soak::run(Duration::from_secs(seconds), slow),
        Verb::Serve { kind, database } => {
            subjects::serve(kind, database.as_deref())?;
            Ok(true)
        }
    }
}

fn chosen(parts: &[Part]) -> &[Part] {
    if parts.is_empty() { &PARTS } else { parts }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn print(text: &str) {
    // A reader that closed stdout does not want the rest.
    let _ = writeln!(std::io::stdout(), "{text}");
}
