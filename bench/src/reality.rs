//! The planner's predictions beside measurements: `notes` as a process and as functions, under the same traffic.

mod environments;
mod page;
mod prediction;
mod process;
mod traffic;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhost_planner::traffic::Traffic;
use anyhost_planner::workload::Distribution;
use serde::Serialize;

use crate::contest::say;
use crate::database::Database;
use crate::machine::{self, Machine};
use environments::Environments;
use process::LongRunning;
use traffic::TrafficResult;

/// How far a prediction may lie from what is measured.
pub const CLOSE: f64 = 0.25;

/// Every note takes the database 20 ms and an exponential 25 more: a table with a trigger that sleeps. Sleeping,
/// it leaves the processors to the App, so that two of them carry the clients, the App and the database.
const SLOW: &str = "\
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    PERFORM pg_sleep(0.020 - 0.025 * ln(1 - random())); RETURN NEW; \
END $$; \
CREATE TRIGGER slow BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION slow()";

/// What was predicted and what came, for all traffics and both paradigms.
#[derive(Debug, Serialize)]
pub struct Reality {
    /// The machine.
    pub machine: Machine,
    /// One entry a traffic and paradigm.
    pub runs: Vec<Run>,
}

/// The measurement of one traffic on one paradigm.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The traffic.
    pub traffic: String,
    /// Its requests.
    pub requests: u64,
    /// The requests that the App did not answer.
    pub failed: u64,
    /// `notes-paas` or `notes-lambda`.
    pub program: &'static str,
    /// The figures that are compared.
    pub figures: Vec<Figure>,
}

/// One figure, predicted and measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figure {
    /// The name of the figure.
    pub what: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// The planner's prediction.
    pub predicted: f64,
    /// The measured value.
    pub measured: f64,
}

impl Figure {
    /// The prediction as a share of the measurement, less one: +0.1 is a tenth too much.
    #[must_use]
    pub fn off(&self) -> f64 {
        if self.measured == 0.0 { 0.0 } else { self.predicted / self.measured - 1.0 }
    }

    /// Whether the prediction is close enough.
    #[must_use]
    pub fn close(&self) -> bool {
        self.off().abs() <= CLOSE
    }
}

/// Measures every traffic for this many seconds on both paradigms, and predicts the same figures.
///
/// # Errors
/// If something that is needed does not start.
pub fn run(seconds: u64) -> Result<Reality, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let mut machine = Machine::here();
    let mut runs = Vec::new();
    // Calibration must not see the requests that are to be predicted.
    let samples = if seconds < 10 { 5 } else { 300 };
    for traffic in traffic::all(seconds) {
        let database = slow_notes()?;
        let process = LongRunning::start(&database)?;
        let app = runtime.block_on(process.calibrate(samples))?;
        say(&format!("notes-paas, {}: {app}", traffic.name()));
        let measured = runtime.block_on(process.measure(&traffic, &database))?;
        let predicted = prediction::of_process(&app, &traffic)?;
        runs.push(compare("notes-paas", &traffic, measured, predicted));
        drop(process);

        let database = slow_notes()?;
        let environments = Environments::new(&database);
        let app = runtime.block_on(environments.calibrate(samples))?;
        say(&format!("notes-lambda, {}: {app}", traffic.name()));
        let measured = runtime.block_on(environments.measure(&traffic, &database))?;
        let predicted = prediction::of_functions(&app, &traffic)?;
        runs.push(compare("notes-lambda", &traffic, measured, predicted));
    }
    machine.load_after = machine::load();
    machine.seconds = begun.elapsed().as_secs_f64();
    Ok(Reality { machine, runs })
}

/// Writes the page, below the root of the workspace.
///
/// # Errors
/// If the page has no markers, or cannot be written.
pub fn write(reality: &Reality, root: &Path) -> Result<(), String> {
    page::write(reality, root)
}

/// The planner's input about an App, measured one request at a time on this machine.
#[derive(Clone, Debug)]
struct App {
    /// The service time of a request, without queueing.
    service: Distribution,
    /// The share of that time in which the request holds a connection.
    database_share: f64,
    /// The share of that time on a processor.
    processor_share: f64,
    /// How long an environment takes from its start to its first poll; empty for a process.
    starts: Vec<f64>,
}

impl std::fmt::Display for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { service, database_share, processor_share, starts } = self;
        write!(f, "{:.1} ms on average, ", service.mean() * 1e3)?;
        write!(f, "{:.0} % with a connection, ", database_share * 1e2)?;
        write!(f, "{:.1} % on a processor", processor_share * 1e2)?;
        match starts.iter().copied().reduce(f64::max) {
            Some(most) => write!(f, "; a start takes at most {:.1} ms", most * 1e3),
            None => Ok(()),
        }
    }
}

/// The figures of one traffic, predicted or measured.
#[derive(Clone, Copy, Debug)]
struct Figures {
    p50: Duration,
    p99: Duration,
    connections: f64,
}

fn slow_notes() -> Result<Database, String> {
    // A background worker of the server would be counted as a connection.
    let database = Database::bare(&["max_connections=100", "autovacuum_naptime=1d"])?;
    process::migrate(&database)?;
    database.server().sql(SLOW);
    Ok(database)
}

fn compare(
    program: &'static str,
    traffic: &Traffic,
    measured: TrafficResult,
    predicted: Figures,
) -> Run {
    let found = measured.found();
    let milliseconds = |what, predicted: Duration, measured: Duration| Figure {
        what,
        unit: "ms",
        predicted: predicted.as_secs_f64() * 1e3,
        measured: measured.as_secs_f64() * 1e3,
    };
    let figures = vec![
        milliseconds("p50", predicted.p50, found.p50),
        milliseconds("p99", predicted.p99, found.p99),
        Figure {
            what: "connections at once, at most",
            unit: "",
            predicted: predicted.connections,
            measured: found.connections,
        },
    ];
    let run = Run {
        traffic: traffic.name().to_owned(),
        requests: traffic.requests(),
        failed: measured.failed(),
        program,
        figures,
    };
    for figure in &run.figures {
        let Figure { what, unit, predicted, measured } = figure;
        let off = figure.off() * 1e2;
        say(&format!(
            "  {what}: predicted {predicted:.1} {unit}, measured {measured:.1} ({off:+.0} %)"
        ));
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_close() {
        let figure = |predicted| Figure { what: "p50", unit: "ms", predicted, measured: 100.0 };
        assert!(figure(75.0).close() && figure(125.0).close());
        assert!(!figure(74.0).close() && !figure(126.0).close());
    }
}
