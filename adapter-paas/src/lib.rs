#![doc = include_str!("../README.md")]

mod address;
mod detect;
mod environment;
mod preset;
mod presets;

use anyhost_core::adapter::{Exit, Factory, Failure, Handler};
use anyhost_core::{Host, Paradigm};
use anyhost_server::Program;

use address::Address;

/// The port if `PORT` is not set: most platforms expect it of a container by default.
const DEFAULT_PORT: u16 = 8080;

anyhost_core::adapter::entry_points!("a PaaS", outcome);

fn outcome<H: Handler>(factory: Factory<H>) -> Result<Exit, Failure> {
    let verb = factory.verb_of(environment::arguments())?;
    let settings = environment::settings();
    let preset = detect::platform(&settings)?;
    let config = preset.config(&settings, environment::is_a_terminal())?;
    let port = settings.get::<u16>(preset.port)?.unwrap_or(DEFAULT_PORT);
    let address = Address::from_settings(&settings)?;
    let logs = anyhost_server::logs(&settings, preset.logs)?;
    let mut in_force = config.in_force();
    in_force.extend(logs.in_force());
    in_force.push((preset.port, port.to_string()));
    let mut host = Host::builder(Paradigm::LongRunning, preset.name)
        .in_force(in_force)
        .grace(preset.grace(&settings)?)
        .demand_database_tls(preset.database_tls);
    if let Some(instance) = preset.instance(&settings) {
        host = host.instance(instance);
    }
    let host = host.settings(settings).build()?;
    let tls = config.tls.is_some();
    let bind = || {
        let bound = address.bind(port).map_err(|failure| {
            let variable = preset.port;
            Failure::new(failure.exit(), format!("{failure}; {variable} chooses another port"))
        })?;
        let bound = bound.into_iter();
        Ok(bound.map(|listener| if tls { listener.with_tls() } else { listener }).collect())
    };
    Program { host, config, logs }
        .run(factory, verb, bind, |running| Box::pin(async { running.hangups.ignore() }))
}
