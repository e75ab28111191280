//! What is predicted and measured: paradigms, traffics, shares of a processor, and what is set.

use anyhost_planner::traffic::Traffic;
use tokio::runtime::Runtime;

use super::environments::Environments;
use super::prediction::{PROCESS_PERIOD, Plan};
use super::process::{LongRunning, migrate};
use super::share::ProcessorShare;
use super::traffic::{TrafficResult, bursts, steady};
use super::{App, Prediction, Run};
use crate::contest::say;
use crate::database::Database;

/// A note of a few words, for which an App needs hardly any processor time.
const NOTE: &str = r#"{"title":"a note","body":"of a few words"}"#;

/// How long the App shall compute for a long note on this machine, in seconds.
const COMPUTES: f64 = 0.008;

/// Requests by which the service time is measured. Its deviation is 25 ms: the mean of so many is exact to half a millisecond
/// of 45, and the 99th percentile to 6 of 135.
const SAMPLES: usize = 2000;

/// The most seconds of a traffic.
const LONGEST: u64 = 480;

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

/// A traffic of so many seconds.
type Rate<'a> = dyn Fn(u64) -> Traffic + 'a;

/// All of them, each traffic for at least so many seconds; and why there is none with a share of a processor, if there is none.
pub(super) fn run(
    runtime: &Runtime,
    seconds: u64,
    only: Option<&str>,
) -> Result<(Vec<Run>, Option<String>), String> {
    let without_shares = ProcessorShare::new(0.5, PROCESS_PERIOD).err();
    // Calibration must not see the requests that are to be predicted.
    let samples = if seconds < 10 { 5 } else { SAMPLES };
    let bench = Bench { runtime, seconds, samples };
    let wanted = |name: &str| only.is_none_or(|only| name.contains(only));
    let mut runs = Vec::new();
    let short = bench.calibrate_process(NOTE, None)?;
    // Steady below and near what five connections carry, and bursts beyond it.
    let traffics: [&Rate<'_>; 3] =
        [&|seconds| steady(55, seconds), &|seconds| steady(85, seconds), &bursts];
    if wanted("process") {
        for traffic in traffics {
            runs.push(bench.process(&short, traffic)?);
        }
    }
    if wanted("functions") {
        let function = bench.calibrate_functions(NOTE)?;
        for traffic in traffics {
            runs.push(bench.functions(&function, traffic)?);
        }
    }
    if without_shares.is_none() && wanted("shares") {
        let note = bench.long_note()?;
        let long = bench.calibrate_process(&note, Some(0.4))?.beside(&short);
        for (cores, used) in [(0.4, 0.6), (0.25, 0.5)] {
            runs.push(bench.process_in_share(&note, &long, cores, used, false)?);
        }
        runs.push(bench.process_in_share(&note, &long, 0.4, 0.6, true)?);
        let long = bench.calibrate_functions(&note)?.beside(&short);
        for cores in [0.25, 0.6] {
            runs.push(bench.functions_in_share(&note, &long, cores, 0.5)?);
        }
    }
    if wanted("recommended") {
        // Three times what it was made for is half as much again as what it carries.
        for (planned, rate) in [(85, 85), (150, 150), (55, 165)] {
            let traffic = |seconds| steady(rate, seconds);
            runs.push(bench.recommended(&short, &steady(planned, seconds), &traffic)?);
        }
    }
    Ok((runs, without_shares))
}

struct Bench<'a> {
    runtime: &'a Runtime,
    seconds: u64,
    /// Requests of a calibration.
    samples: usize,
}

impl Bench<'_> {
    fn process(&self, app: &App, traffic: &Rate<'_>) -> Result<Run, String> {
        let plan = Plan::of_process(app, processors())?;
        let (traffic, predicted) =
            self.long_enough(traffic, |traffic| plan.predict(traffic, None))?;
        let database = slow_notes()?;
        let process = LongRunning::start(&database, NOTE.into(), None, &[])?;
        let measured = self.runtime.block_on(process.measure(&traffic, &database));
        Ok(compare("notes-paas", "", &traffic, &measured, &predicted))
    }

    fn functions(&self, app: &App, traffic: &Rate<'_>) -> Result<Run, String> {
        let database = slow_notes()?;
        let environments = Environments::new(&database, NOTE, None);
        let starts = self.runtime.block_on(environments.starts(self.starts()))?;
        let plan = Plan::of_functions(&App { starts, ..app.clone() }, 1.0)?;
        let (traffic, predicted) =
            self.long_enough(traffic, |traffic| plan.predict(traffic, None))?;
        let measured = self.runtime.block_on(environments.measure(&traffic, &database));
        Ok(compare("notes-lambda", "", &traffic, &measured, &predicted))
    }

    /// A process that has a share of a processor, of which the traffic uses this much; with core's own formula for the pool,
    /// or with what the search recommends.
    fn process_in_share(
        &self,
        note: &str,
        app: &App,
        cores: f64,
        used: f64,
        recommended: bool,
    ) -> Result<Run, String> {
        let plan = Plan::of_process(app, cores)?;
        let traffic = |seconds| using(app, cores * used, seconds);
        let found = if recommended { Some(plan.recommend(&traffic(self.seconds))?) } else { None };
        let configuration = found.as_ref().map(|found| &found.configuration);
        let (traffic, predicted) =
            self.long_enough(&traffic, |traffic| plan.predict(traffic, configuration))?;
        let database = slow_notes()?;
        let share = ProcessorShare::new(cores, PROCESS_PERIOD)?;
        let lines = found.map(|found| found.lines).unwrap_or_default();
        let process = LongRunning::start(&database, note.to_owned().into(), Some(share), &lines)?;
        let measured = self.runtime.block_on(process.measure(&traffic, &database));
        let set = format!("{cores} of a processor, {:.0} % of it used", used * 1e2);
        let set = if lines.is_empty() { set } else { format!("{set}, {}", words(&lines)) };
        Ok(compare("notes-paas", &set, &traffic, &measured, &predicted))
    }

    /// Environments that have a share of a processor each; the traffic needs this much of one processor.
    fn functions_in_share(
        &self,
        note: &str,
        app: &App,
        cores: f64,
        needed: f64,
    ) -> Result<Run, String> {
        let database = slow_notes()?;
        let environments = Environments::new(&database, note, Some(cores));
        let starts = self.runtime.block_on(environments.starts(self.starts()))?;
        let plan = Plan::of_functions(&App { starts, ..app.clone() }, cores)?;
        let traffic = |seconds| using(app, needed, seconds);
        let (traffic, predicted) =
            self.long_enough(&traffic, |traffic| plan.predict(traffic, None))?;
        let measured = self.runtime.block_on(environments.measure(&traffic, &database));
        let set = format!("{cores} of a processor each");
        Ok(compare("notes-lambda", &set, &traffic, &measured, &predicted))
    }

    /// A process that is started with the lines that the search prints for a traffic, under a traffic.
    fn recommended(&self, app: &App, planned: &Traffic, traffic: &Rate<'_>) -> Result<Run, String> {
        let plan = Plan::of_process(app, processors())?;
        let found = plan.recommend(planned)?;
        let (traffic, predicted) =
            self.long_enough(traffic, |traffic| plan.predict(traffic, Some(&found.configuration)))?;
        let database = slow_notes()?;
        let process = LongRunning::start(&database, NOTE.into(), None, &found.lines)?;
        let measured = self.runtime.block_on(process.measure(&traffic, &database));
        Ok(compare("notes-paas", &words(&found.lines), &traffic, &measured, &predicted))
    }

    /// A traffic that lasts so long that chance leaves its figures as they are, and their prediction.
    fn long_enough(
        &self,
        traffic: &Rate<'_>,
        predict: impl Fn(&Traffic) -> Result<Prediction, String>,
    ) -> Result<(Traffic, Prediction), String> {
        let mut seconds = self.seconds;
        loop {
            let traffic = traffic(seconds);
            let predicted = predict(&traffic)?;
            // A smoke test shows whether it works.
            if predicted.settled() || seconds >= LONGEST || self.seconds < 10 {
                return Ok((traffic, predicted));
            }
            seconds = (seconds * 2).min(LONGEST);
        }
    }

    /// Environments of which the start is measured.
    fn starts(&self) -> usize {
        self.samples.min(30)
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

    fn calibrate_process(&self, note: &str, cores: Option<f64>) -> Result<App, String> {
        let database = slow_notes()?;
        let share = cores.map(|cores| ProcessorShare::new(cores, PROCESS_PERIOD)).transpose()?;
        let process = LongRunning::start(&database, note.to_owned().into(), share, &[])?;
        let app = self.runtime.block_on(process.calibrate(self.samples))?;
        say(&format!("notes-paas, a note of {} bytes: {app}", note.len()));
        Ok(app)
    }

    fn calibrate_functions(&self, note: &str) -> Result<App, String> {
        let database = slow_notes()?;
        let environments = Environments::new(&database, note, None);
        let app = self.runtime.block_on(environments.calibrate(self.samples))?;
        say(&format!("notes-lambda, a note of {} bytes: {app}", note.len()));
        Ok(app)
    }
}

impl App {
    /// The App with a long note, beside itself with a short one. The answer is the same: what it computes after its query is
    /// half of what a short note takes in all.
    fn beside(self, short: &Self) -> Self {
        let after = computes(short) / 2.0 / computes(&self);
        Self { processor_before: (1.0 - after).clamp(0.5, 1.0), ..self }
    }
}

/// A steady traffic that uses so many processors.
fn using(app: &App, processors: f64, seconds: u64) -> Traffic {
    // A few requests a second.
    steady((processors / computes(app)).round().max(1.0) as u64, seconds)
}

/// How long the App computes for a request, in seconds.
fn computes(app: &App) -> f64 {
    app.service.mean() * app.processor_share
}

fn words(lines: &[(String, String)]) -> String {
    let lines = lines.iter().map(|(name, value)| format!("{name}={value}"));
    lines.collect::<Vec<_>>().join(" ")
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
    predicted: &Prediction,
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
