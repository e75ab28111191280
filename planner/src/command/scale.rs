//! `anyhost scale`: what the planner itself takes, from 1 to a thousand million requests a day.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Failure, print};
use crate::answer::Answer;
use crate::report::{self, ScalePoint};
use crate::simulation::Mode;

/// Measures this program: each load in a process of its own.
#[derive(Debug, Args)]
pub(crate) struct Scale {
    /// Days of traffic to simulate
    #[arg(long, value_name = "DAYS", default_value_t = 1.0)]
    days: f64,
    /// Write the chart to this file, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// What one run took.
#[derive(Debug, Serialize, Deserialize)]
struct Measurement {
    requests: u64,
    seconds: f64,
    peak_kib: Option<u64>,
    exact: bool,
}

/// What this run itself took, as JSON.
pub(crate) fn measurement(answer: &Answer, elapsed: Duration) -> String {
    let exact = answer
        .candidates
        .iter()
        .all(|candidate| candidate.run.as_ref().is_some_and(|run| run.outcome.mode == Mode::Exact));
    report::json(&Measurement {
        requests: answer.statistics.requests,
        seconds: elapsed.as_secs_f64(),
        peak_kib: peak_kib(),
        exact,
    })
}

/// The most memory this process has held, if the system tells (Linux).
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

impl Scale {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode, Failure> {
        let program =
            std::env::current_exe().map_err(|error| Failure::output("this program", &error))?;
        let mut points = Vec::new();
        for power in 0..=9 {
            let a_day = 10_f64.powi(power);
            let pattern = format!("daily:mean={},days={}", a_day / 86_400.0, self.days);
            let output = Command::new(&program)
                // A load of thousands of requests a second needs a pooler, else every host is bound by the database.
                .args([
                    "plan",
                    &pattern,
                    "--pooler",
                    "pgbouncer-prepared",
                    "--max-connections",
                    "5000",
                    "--measure",
                    "--seed",
                    "2",
                ])
                .output()
                .map_err(|error| Failure::output("this program", &error))?;
            // One request a day may be none in a draw; with this seed it is one.
            let Ok(measured) = serde_json::from_slice::<Measurement>(&output.stdout) else {
                let line = String::from_utf8_lossy(&output.stderr);
                print(out, &format!("{a_day:>14} a day: {line}"))?;
                continue;
            };
            let Measurement { requests, seconds, peak_kib, exact } = measured;
            let mode = if exact { "exact" } else { "aggregate" };
            let mib = peak_kib.map(|kib| kib as f64 / 1024.0);
            let memory = mib.map_or("unknown".into(), |mib| format!("{mib:.0} MiB"));
            print(
                out,
                &format!(
                    "{a_day:>14} a day: {seconds:8.3} s, {memory:>8}, {requests} requests, {mode}\n"
                ),
            )?;
            out.flush().map_err(|error| Failure::output("stdout", &error))?;
            points.push(ScalePoint { a_day, seconds, mib: mib.unwrap_or(0.0), exact });
        }
        if let Some(path) = &self.svg {
            fs::write(path, report::scale(&points))
                .map_err(|error| Failure::output(&path.display().to_string(), &error))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
