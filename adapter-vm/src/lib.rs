#![doc = include_str!("../README.md")]

mod environment;
mod listen;
mod supervisor;

use std::process::ExitCode;
use std::time::Duration;

use anyhost_core::{App, Exit, Failure, Host, Paradigm, Verb, conclude};
use anyhost_server::{Config, LogFormat, Logs, Program};

use listen::Addresses;

/// How long a stop may take: systemd waits 90 seconds (`TimeoutStopSec`) before it kills.
const GRACE: Duration = Duration::from_secs(80);

/// Runs an App on a VM: everything a `main` function does.
///
/// Reads the verb from the command line (`serve`, the default; `migrate`; `check`) and everything else
/// from the environment. Where the process cannot serve, one line on stderr says why and the exit code
/// tells the phase.
pub fn run<A: App>() -> ExitCode {
    conclude(outcome::<A>())
}

fn outcome<A: App>() -> Result<Exit, Failure> {
    let verb = Verb::parse(environment::arguments())?;
    let settings = environment::settings();
    let config = Config::default().with(&settings)?;
    let addresses = settings.get::<Addresses>("LISTEN")?.unwrap_or_default();
    let logs = Logs::from_settings(&settings, LogFormat::Json)?;
    let grace = settings.get("SHUTDOWN_GRACE")?.unwrap_or(GRACE);
    let platform = if supervisor::present(&settings) { "systemd" } else { "vm" };
    let host =
        Host::builder(Paradigm::LongRunning, platform).grace(grace).settings(settings).build()?;
    let beside = supervisor::follow(host.life().clone(), addresses.to_string());
    Program { host, config, logs }.run::<A>(verb, || addresses.bind(), beside)
}
