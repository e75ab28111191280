//! The one call in a program's `main`.

use std::io::Write as _;
use std::time::Duration;

use anyhost_core::adapter::Verb;
use anyhost_core::adapter::{Exit, Factory, Failure, Handler, Traces, check, migrate};
use anyhost_core::{Host, Paradigm, Settings};
use tokio::runtime::{Builder, Runtime};

use crate::environment::{self, Configuration};
use crate::life::{self, Prepared};
use crate::logs::Logs;
use crate::runtime_api::Ahead;

/// The time a stop may take: Lambda gives 500 ms to an environment with an internal extension, and on
/// some paths only 300 of them to the runtime.
const GRACE: Duration = Duration::from_millis(250);

anyhost_core::adapter::entry_points!("AWS Lambda", outcome);

fn outcome<H: Handler>(factory: Factory<H>) -> Result<Exit, Failure> {
    let (words, settings) = environment::read();
    let verb = factory.verb_of(words)?;
    carry_out(factory, verb, settings)
}

fn carry_out<H: Handler>(
    factory: Factory<H>,
    verb: Verb,
    settings: Settings,
) -> Result<Exit, Failure> {
    match verb {
        Verb::Serve => run_functions(factory, settings).map(|()| Exit::Done),
        Verb::Migrate => {
            let Prepared { host, .. } = prepare(settings)?;
            runtime(1)?.block_on(migrate(factory, &host)).map(|()| Exit::Done)
        }
        Verb::Check => {
            let Prepared { host, .. } = prepare(settings)?;
            let report = runtime(1)?.block_on(check(factory, &host))?;
            // A reader that is gone needs no report.
            let _ = std::io::stdout().write_all(report.as_bytes());
            Ok(Exit::Done)
        }
    }
}

fn run_functions<H: Handler>(factory: Factory<H>, settings: Settings) -> Result<(), Failure> {
    let endpoint = Configuration::endpoint(&settings)?;
    let ahead = Ahead::begin(&endpoint);
    // What is wrong with it is said when everything is prepared, and to Lambda too.
    let concurrency =
        Configuration::of(&settings).map_or(1, |configuration| configuration.concurrency);
    let runtime = runtime(concurrency)?;
    let outcome = runtime.block_on(async {
        // A task of its own: every wake of what `block_on` itself runs is a write to an eventfd.
        tokio::spawn(Box::pin(life::serve(factory, endpoint, ahead, move || prepare(settings))))
            .await
            .unwrap_or_else(|panic| Err(Failure::new(Exit::Start, panic)))
    });
    // What still blocks a thread is not waited for: Lambda would not wait either.
    runtime.shutdown_background();
    outcome
}

/// Everything that a wrong setting can stop, before anything is started.
fn prepare(settings: Settings) -> Result<Prepared, Failure> {
    Logs::of(&settings)?.begin();
    let configuration = Configuration::of(&settings)?;
    let instance = settings.text("AWS_LAMBDA_LOG_STREAM_NAME").map(str::to_owned);
    let mut host = Host::builder(Paradigm::Serverless, "lambda")
        .concurrency(configuration.concurrency)
        .grace(GRACE)
        .settings(settings);
    if let Some(instance) = instance {
        host = host.instance(instance);
    }
    let host = host.build()?;
    let traces = Traces::of(&host)?;
    Ok(Prepared { host, configuration, traces })
}

/// One thread if one request runs at a time: more would only cost memory and time at the start.
fn runtime(concurrency: usize) -> Result<Runtime, Failure> {
    let mut builder = match concurrency {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Bind, format!("no runtime: {error}")))
}
