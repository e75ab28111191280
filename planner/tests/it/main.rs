//! The planner against theory, hand arithmetic, published measurements and recorded traffic.

mod arithmetic;
mod commands;
mod manifests;
mod modes;
mod published;
mod recorded;
mod theory;

use std::time::Duration;

use anyhost_planner::model::{Catalog, Host};
use anyhost_planner::simulation::{Options, Outcome, Setup, simulate};
use anyhost_planner::traffic::Traffic;
use anyhost_planner::workload::{Distribution, Workload};

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

fn options() -> Options {
    Options { deploys_per_day: 0.0, ..Options::default() }
}

fn run(host: &Host, workload: &Workload, traffic: &Traffic, options: &Options) -> Outcome {
    simulate(&Setup::new(host, workload, traffic, options).expect("it can run"))
}

fn host(name: &str) -> Host {
    Catalog::built_in().host(name).expect("a known host").clone()
}
