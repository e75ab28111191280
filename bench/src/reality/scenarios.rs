//! What is predicted and measured: paradigms, traffics, shares of a processor, and what is set.

use anyhost_planner::traffic::Traffic;
use tokio::runtime::Runtime;

use super::environments::Environments;
use super::prediction::{PROCESS_PERIOD, Plan};
use super::process::{LongRunning, migrate};
use super::share::ProcessorShare;
use super::traffic::{TrafficResult, bursts, steady};
use super::{App, Figures, Run};
use crate::contest::say;
use crate::database::Database;

/// A note of a few words, for which an App needs hardly any processor time.
const NOTE: &str = r#"{"title":"a note","body":"of a few words"}"#;

/// How long the App shall compute for a long note on this machine, in seconds.
const COMPUTES: f64 = 0.008;

/// Lines of the note by which that is tried, and the most of one: the largest event of Lambda is 6 MB.
const LINES: (usize, usize) = (20_000, 200_000);

/// Every note takes the database 20 ms and an exponential 25 more: a table with a trigger that sleeps. Sleeping,
/// it leaves the processors to the App, so that two of them carry the clients, the App and the database. Of a long
/// note the beginning is kept: only the App has work with its length.
const SLOW: &str = "\
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    PERFORM pg_sleep(0.020 - 0.025 * ln(1 - random())); NEW.body := left(NEW.body, 100); RETURN NEW; \
END $$; \
CREATE TRIGGER slow BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION slow()";

/// All of them, each traffic for so many seconds; and why there is none with a share of a processor, if there is none.
pub(super) fn run(runtime: &Runtime, seconds: u64) -> Result<(Vec<Run>, Option<String>), String> {
    let without_shares = ProcessorShare::new(0.5, PROCESS_PERIOD).err();
    // Calibration must not see the requests that are to be predicted.
    let bench = Bench { runtime, seconds, samples: if seconds < 10 { 5 } else { 300 } };
    let mut runs = Vec::new();
    // Steady below and near what five connections carry, and bursts beyond it.
    for traffic in [steady(55, seconds), steady(85, seconds), bursts(seconds)] {
        runs.push(bench.process(&traffic)?);
        runs.push(bench.functions(&traffic)?);
    }
    if without_shares.is_none() {
        let note = bench.long_note()?;
        for (cores, used) in [(0.4, 0.6), (0.25, 0.5)] {
            runs.push(bench.process_in_share(&note, cores, used)?);
        }
        for cores in [0.25, 0.6] {
            runs.push(bench.functions_in_share(&note, cores, 0.5)?);
        }
    }
    for traffic in [steady(85, seconds), steady(150, seconds)] {
        runs.push(bench.recommended(&traffic, &traffic)?);
    }
    // Three times what it was made for is half as much again as what it carries.
    runs.push(bench.recommended(&steady(55, seconds), &steady(165, seconds))?);
    Ok((runs, without_shares))
}

struct Bench<'a> {
    runtime: &'a Runtime,
    seconds: u64,
    /// Requests of a calibration.
    samples: usize,
}

impl Bench<'_> {
    fn process(&self, traffic: &Traffic) -> Result<Run, String> {
        let database = slow_notes()?;
        let process = LongRunning::start(&database, NOTE.into(), None, &[])?;
        let app = self.calibrate("notes-paas", traffic, &process)?;
        let predicted = Plan::of_process(&app, processors())?.predict(traffic, None)?;
        let measured = self.runtime.block_on(process.measure(traffic, &database));
        Ok(compare("notes-paas", "", traffic, &measured, predicted))
    }

    fn functions(&self, traffic: &Traffic) -> Result<Run, String> {
        let database = slow_notes()?;
        let environments = Environments::new(&database, NOTE, None);
        let app = self.runtime.block_on(environments.calibrate(self.samples))?;
        say(&format!("notes-lambda, {}: {app}", traffic.name()));
        let predicted = Plan::of_functions(&app, 1.0)?.predict(traffic, None)?;
        let measured = self.runtime.block_on(environments.measure(traffic, &database));
        Ok(compare("notes-lambda", "", traffic, &measured, predicted))
    }

    /// A process that has a share of a processor, of which the traffic uses this much.
    fn process_in_share(&self, note: &str, cores: f64, used: f64) -> Result<Run, String> {
        let database = slow_notes()?;
        let share = ProcessorShare::new(cores, PROCESS_PERIOD)?;
        let process = LongRunning::start(&database, note.to_owned().into(), Some(share), &[])?;
        let app = self.runtime.block_on(process.calibrate(self.samples))?;
        let traffic = self.using(&app, cores * used);
        say(&format!("notes-paas with {cores} of a processor, {}: {app}", traffic.name()));
        let predicted = Plan::of_process(&app, cores)?.predict(&traffic, None)?;
        let measured = self.runtime.block_on(process.measure(&traffic, &database));
        let set = format!("{cores} of a processor, {:.0} % of it used", used * 1e2);
        Ok(compare("notes-paas", &set, &traffic, &measured, predicted))
    }

    /// Environments that have a share of a processor each; the traffic needs this much of one processor.
    fn functions_in_share(&self, note: &str, cores: f64, needed: f64) -> Result<Run, String> {
        let database = slow_notes()?;
        let environments = Environments::new(&database, note, Some(cores));
        let app = self.runtime.block_on(environments.calibrate(self.samples))?;
        let traffic = self.using(&app, needed);
        say(&format!("notes-lambda with {cores} of a processor, {}: {app}", traffic.name()));
        let predicted = Plan::of_functions(&app, cores)?.predict(&traffic, None)?;
        let measured = self.runtime.block_on(environments.measure(&traffic, &database));
        let set = format!("{cores} of a processor each");
        Ok(compare("notes-lambda", &set, &traffic, &measured, predicted))
    }

    /// A process that is started with the lines that the search prints for a traffic, under a traffic.
    fn recommended(&self, planned: &Traffic, traffic: &Traffic) -> Result<Run, String> {
        let database = slow_notes()?;
        let process = LongRunning::start(&database, NOTE.into(), None, &[])?;
        let app = self.calibrate("notes-paas", planned, &process)?;
        drop(process);
        let plan = Plan::of_process(&app, processors())?;
        let found = plan.recommend(planned)?;
        let lines = found.lines.iter().map(|(name, value)| format!("{name}={value}"));
        let set = lines.collect::<Vec<_>>().join(" ");
        say(&format!("recommended: {set}"));
        let process = LongRunning::start(&database, NOTE.into(), None, &found.lines)?;
        let predicted = plan.predict(traffic, Some(&found.configuration))?;
        let measured = self.runtime.block_on(process.measure(traffic, &database));
        Ok(compare("notes-paas", &set, traffic, &measured, predicted))
    }

    /// A note for which the App computes for some milliseconds.
    fn long_note(&self) -> Result<String, String> {
        let (tried, most) = LINES;
        let database = slow_notes()?;
        let process = LongRunning::start(&database, long_note(tried).into(), None, &[])?;
        let app = self.runtime.block_on(process.calibrate(self.samples.min(50)))?;
        // A positive number of lines below the bound.
        let lines = COMPUTES / computes(&app) * tried as f64;
        Ok(long_note((lines as usize).clamp(1, most)))
    }

    fn calibrate(
        &self,
        program: &str,
        traffic: &Traffic,
        process: &LongRunning,
    ) -> Result<App, String> {
        let app = self.runtime.block_on(process.calibrate(self.samples))?;
        say(&format!("{program}, {}: {app}", traffic.name()));
        Ok(app)
    }

    /// A steady traffic that uses so many processors.
    fn using(&self, app: &App, processors: f64) -> Traffic {
        // A few requests a second.
        steady((processors / computes(app)).round().max(1.0) as u64, self.seconds)
    }
}

/// How long the App computes for a request, in seconds.
fn computes(app: &App) -> f64 {
    app.service.mean() * app.processor_share
}

fn processors() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64)
}

fn long_note(lines: usize) -> String {
    let body = r#"a line of \"text\"\n"#.repeat(lines);
    format!(r#"{{"title":"a note","body":"{body}"}}"#)
}

fn slow_notes() -> Result<Database, String> {
    // A background worker of the server would be counted as a connection.
    let database = Database::bare(&["max_connections=100", "autovacuum_naptime=1d"])?;
    migrate(&database)?;
    database.server().sql(SLOW);
    Ok(database)
}

fn compare(
    program: &'static str,
    set: &str,
    traffic: &Traffic,
    measured: &TrafficResult,
    predicted: Figures,
) -> Run {
    let run = Run {
        traffic: traffic.name().to_owned(),
        requests: traffic.requests(),
        failed: measured.failed(),
        program,
        set: set.to_owned(),
        figures: predicted.beside(measured.found()),
    };
    for figure in &run.figures {
        say(&format!("  {}", figure.sentence()));
    }
    run
}
