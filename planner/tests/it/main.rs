//! The planner against theory, hand arithmetic, a second simulation, published measurements and recorded traffic.

mod answers;
mod arithmetic;
mod attacks;
mod autostop;
mod behaviour;
mod bills;
mod commands;
mod event_loop;
mod files;
mod in_flight;
mod manifests;
mod modes;
mod provisioned;
mod published;
mod recorded;
mod schema;
mod theory;

use std::time::Duration;

use anyhost_planner::bill::{Bill, BillOptions};
use anyhost_planner::hosts::{Catalog, Host};
use anyhost_planner::simulation::{Configuration, Options, Outcome, Setup, simulate};
use anyhost_planner::traffic::Traffic;
use anyhost_planner::workload::{Database, Distribution, Workload};

/// The same requests in every second.
fn steady(a_second: u64, seconds: usize) -> Traffic {
    Traffic::new("steady", Duration::from_secs(1), vec![a_second; seconds])
}

/// An App that takes so long on a processor and in nothing else.
fn computing(service: &str, memory_gb: f64) -> Workload {
    Workload {
        service: service.parse::<Distribution>().expect("a duration"),
        database_share: 0.0,
        processor_share: 1.0,
        memory_gb,
        start: 0.0,
        ..Workload::default()
    }
}

/// An App that waits for so long and takes nothing meanwhile, so that it is as fast on any host.
fn waiting(service: &str, memory_gb: f64) -> Workload {
    Workload { processor_share: 0.0, ..computing(service, memory_gb) }
}

/// The default database with so many connections.
fn connections(max_connections: usize) -> Option<Database> {
    Some(Database { max_connections, ..Database::default() })
}

fn options() -> Options {
    Options { deploys_per_day: 0.0, ..Options::default() }
}

/// Simulates the first guess of a configuration.
fn run(host: &Host, workload: &Workload, traffic: &Traffic, options: &Options) -> Outcome {
    let guess = Configuration::guess(host, workload, traffic, options.max_instances);
    run_with(host, workload, traffic, guess.expect("it has a size"), options)
}

fn run_with(
    host: &Host,
    workload: &Workload,
    traffic: &Traffic,
    configuration: Configuration,
    options: &Options,
) -> Outcome {
    let setup = Setup::new(host, workload, traffic, configuration, options);
    simulate(&setup.expect("it would start"))
}

/// US dollars a month of what was simulated.
fn month(host: &Host, workload: &Workload, traffic: &Traffic, outcome: &Outcome) -> f64 {
    let guess = Configuration::guess(host, workload, traffic, None).expect("it has a size");
    Bill::new(host, &guess.size, workload, &outcome.usage, &BillOptions::default()).month
}

fn host(name: &str) -> Host {
    Catalog::built_in().host(name).expect("a known host").clone()
}
