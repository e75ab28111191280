//! The functions that a program's `main` calls.

use std::io::Write as _;
use std::time::Duration;

use anyhost_core::adapter::Verb;
use anyhost_core::adapter::{
    Exit, Factory, Failure, Handler, Telemetry, check, migrate, until_stopped,
};
use anyhost_core::{Host, Paradigm, Settings};
use tokio::runtime::{Builder, Runtime};

use crate::environment::{self, Configuration};
use crate::lifecycle::{self, Preparation, Signals};
use crate::logs::logs;
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
            let Preparation { host, .. } = prepare(settings, verb)?;
            until_stopped(runtime(1)?, Signals::first, migrate(factory, &host))?;
            Ok(Exit::Done)
        }
        Verb::Check => {
            let Preparation { host, .. } = prepare(settings, verb)?;
            let report = until_stopped(runtime(1)?, Signals::first, check(factory, &host))?;
            // Ignored: nobody reads the report if stdout is closed.
            let _ = std::io::stdout().write_all(report.as_bytes());
            Ok(Exit::Done)
        }
    }
}

fn run_functions<H: Handler>(factory: Factory<H>, settings: Settings) -> Result<(), Failure> {
    let endpoint = Configuration::endpoint(&settings)?;
    let ahead = Ahead::begin(&endpoint);
    // An invalid address is reported after the preparation, and to Lambda too.
    let concurrency = Configuration::from_settings(&settings)
        .map_or(1, |configuration| configuration.concurrency);
    let runtime = runtime(concurrency)?;
    let outcome = runtime.block_on(async {
        // In a task of its own: a wake-up of the future inside `block_on` costs a write to an eventfd.
        let prepare = move || prepare(settings, Verb::Serve);
        tokio::spawn(Box::pin(lifecycle::serve(factory, endpoint, ahead, prepare)))
            .await
            .unwrap_or_else(|panic| Err(Failure::new(Exit::Start, panic)))
    });
    // Blocked threads are not waited for: Lambda does not wait either.
    runtime.shutdown_background();
    outcome
}

/// Prepares everything that can fail because of a wrong setting, before anything is started, and begins to log.
fn prepare(settings: Settings, verb: Verb) -> Result<Preparation, Failure> {
    let logs = logs(&settings)?;
    let prepared = prepare_host(settings).and_then(|(host, configuration)| {
        let telemetry = match verb {
            Verb::Serve => Telemetry::from_host(&host)?,
            Verb::Migrate | Verb::Check => None,
        };
        Ok(Preparation::new(host, configuration, telemetry))
    });
    let telemetry = prepared.as_ref().ok().and_then(|prepared| prepared.telemetry.as_ref());
    logs.begin(telemetry);
    prepared
}

fn prepare_host(settings: Settings) -> Result<(Host, Configuration), Failure> {
    let configuration = Configuration::from_settings(&settings)?;
    // Outside of Lambda, where `check` and `migrate` run too, it may be missing.
    if settings.text("AWS_LAMBDA_RUNTIME_API").is_some() {
        Configuration::endpoint(&settings)?;
    }
    let instance = settings.text("AWS_LAMBDA_LOG_STREAM_NAME").map(str::to_owned);
    let mut host = Host::builder(Paradigm::Serverless, "lambda")
        .concurrency(configuration.concurrency)
        .grace(GRACE)
        .settings(settings);
    if let Some(instance) = instance {
        host = host.instance(instance);
    }
    Ok((host.build()?, configuration))
}

/// Uses one thread if one request runs at a time: more threads would only cost memory and start time.
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
