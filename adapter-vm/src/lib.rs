#![doc = include_str!("../README.md")]

mod activation;
mod environment;
mod folders;
mod listen;
mod notify;
mod reload;
mod supervisor;
mod watchdog;

use std::time::Duration;

use anyhost_core::adapter::{Exit, Factory, Failure, Handler, LogFormat};
use anyhost_core::{Host, Paradigm};
use anyhost_server::{Config, Program, Running};

use listen::Addresses;
use notify::Manager;
use reload::Reload;
use supervisor::Supervisor;

/// How long a stop may take: systemd waits 90 seconds (`TimeoutStopSec`) before it kills.
const GRACE: Duration = Duration::from_secs(80);

/// How long new connections are still served after the stop signal: until a load balancer that checks every
/// second has noticed it.
const LAME_DUCK: Duration = Duration::from_secs(3);

anyhost_core::adapter::entry_points!("a VM", outcome);

fn outcome<H: Handler>(factory: Factory<H>) -> Result<Exit, Failure> {
    let verb = factory.verb_of(environment::arguments())?;
    let settings = environment::settings()?;
    let grace = settings.get("SHUTDOWN_GRACE")?.unwrap_or(GRACE);
    let inherited = activation::inherited(&settings)?;
    // Sockets that were handed over outlive this process: a client that connects meanwhile waits for the next one.
    let alone = inherited.is_empty() && !environment::is_a_terminal();
    let lame_duck = if alone { LAME_DUCK.min(grace / 2) } else { Duration::ZERO };
    let config = Config { lame_duck, ..Config::default() }.with(&settings)?;
    let asked = settings.get::<Addresses>("LISTEN")?;
    let logs = anyhost_server::logs(&settings, LogFormat::Json)?;
    let manager = Manager::from_settings(&settings)?;
    let supervisor = Supervisor::new(manager.clone(), &settings, grace)?;
    let watchdog = watchdog::wanted(&settings)?;
    let platform = if supervisor::present(&settings) { "systemd" } else { "vm" };
    // Sockets that were handed over are enough, unless the settings name addresses too.
    let addresses = match asked {
        None if !inherited.is_empty() => Addresses::none(),
        asked => asked.unwrap_or_default(),
    };
    addresses.check_tls(config.tls.is_some(), &inherited)?;
    let places = inherited.iter().map(ToString::to_string).chain(addresses.texts());
    let serving = format!("serving on {}", places.collect::<Vec<_>>().join(", "));
    let mut in_force = config.in_force();
    in_force.extend(logs.in_force());
    in_force.push(("LISTEN", addresses.texts().collect::<Vec<_>>().join(", ")));
    let host = Host::builder(Paradigm::LongRunning, platform)
        .in_force(in_force)
        .grace(grace)
        .settings(settings)
        .build()?;
    let tls = config.tls.clone();
    let beside = async move |running: Running| {
        let Running { hangups, level, host } = running;
        if let Some(every) = watchdog {
            tokio::spawn(watchdog::watch(manager.clone(), every));
        }
        let lifecycle = host.lifecycle().clone();
        let reload = Reload { manager, host, level, tls, serving: serving.clone() };
        tokio::spawn(reload.at(hangups));
        supervisor.follow(&lifecycle, &serving).await;
    };
    let bind = || addresses.bind(inherited);
    Program { host, config, logs }.run(factory, verb, bind, |running| Box::pin(beside(running)))
}
