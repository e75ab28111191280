//! The planner's prediction for an App that was measured one request at a time.

use std::fmt::Write as _;
use std::time::Duration;

use anyhost_planner::hosts::Catalog;
use anyhost_planner::simulation::{Configuration, Options, Setup, simulate};
use anyhost_planner::traffic::Traffic;
use anyhost_planner::workload::{Database, Distribution, Workload};

use super::{App, Figures};

/// The number of simulations, each with its own seed, whose median is the prediction: a single one is only one sample
/// of what may happen.
const DAYS: u64 = 21;

/// One process on this machine.
pub(super) fn of_process(app: &App, traffic: &Traffic) -> Result<Figures, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let host = format!(
        r#"[[host]]
name = "here"
title = "one process on this machine"
short = "here"
kind = "fleet"
sizes = [{{ cores = {cores}, memory_gb = 4 }}]
balancing = "random"
[host.parameters]
{}
[host.scaling]
kind = "fixed"
utilisation = {{ value = 1, source = "the benchmark", dated = 2026-11-23 }}
"#,
        parameters(&[
            ("min_instances", 1.0),
            ("max_instances", 1.0),
            ("start_seconds", 1.0),
            ("overlap", 1.0),
            ("deploy_seconds", 0.0),
            ("patience_seconds", 60.0),
            ("request_limit_seconds", 60.0),
        ])
    );
    predict(&host, app, traffic)
}

/// Functions on this machine: a start takes the measured time, and the number of environments is unlimited.
pub(super) fn of_functions(app: &App, traffic: &Traffic) -> Result<Figures, String> {
    let starts = Distribution::measured(app.starts.clone()).ok_or("no start was measured")?;
    let Distribution::Quantiles(points) = starts else { return Err("no quantiles".into()) };
    let mut quantiles = String::new();
    for (share, seconds) in points {
        // Writing to a string does not fail.
        let _ = write!(quantiles, "[{share}, {}], ", seconds * 1e3);
    }
    let host = format!(
        r#"[[host]]
name = "here"
title = "functions on this machine"
short = "here"
kind = "functions"
[host.parameters]
{}
cold_start_ms = {{ quantiles = [{quantiles}], source = "the benchmark", dated = 2026-11-23 }}
init_ms = {{ quantiles = [{quantiles}], source = "the benchmark", dated = 2026-11-23 }}
"#,
        parameters(&[
            ("max_environments", 97.0),
            ("burst_environments", 1000.0),
            ("burst_seconds", 10.0),
            ("requests_per_environment_second", 1000.0),
            ("keep_warm_seconds", 360.0),
            ("gb_per_core", 1.0),
            ("min_memory_gb", 0.125),
            ("max_memory_gb", 10.0),
            ("billing_step_ms", 1.0),
            ("init_billed", 1.0),
            ("request_limit_seconds", 60.0),
            ("run_limit_seconds", 60.0),
        ])
    );
    predict(&host, app, traffic)
}

fn parameters(all: &[(&str, f64)]) -> String {
    let line = |(name, value): &(&str, f64)| {
        format!(
            "{name} = {{ value = {value:?}, source = \"the benchmark\", dated = 2026-11-23 }}\n"
        )
    };
    all.iter().map(line).collect()
}

fn predict(host: &str, app: &App, traffic: &Traffic) -> Result<Figures, String> {
    let catalog = Catalog::parse("the benchmark", host).map_err(|error| error.to_string())?;
    let host = catalog.host("here").ok_or("the host is in it")?;
    let App { service, database_share, processor_share, starts: _ } = app.clone();
    let workload = Workload {
        service,
        database_share,
        processor_share,
        memory_gb: 1.0,
        start: 0.0,
        patience: None,
        database: Some(Database::default()),
    };
    let guess = Configuration::guess(host, &workload, traffic, None);
    let guess = guess.map_err(|error| error.to_string())?;
    let (mut p50, mut p99, mut connections) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 1..=DAYS {
        let options = Options { seed, deploys_per_day: 0.0, ..Options::default() };
        let setup = Setup::new(host, &workload, traffic, guess.clone(), &options);
        let outcome = simulate(&setup.map_err(|error| error.to_string())?);
        p50.push(outcome.latency.p50);
        p99.push(outcome.latency.p99);
        connections.push(outcome.peak_connections as f64);
    }
    Ok(Figures {
        p50: Duration::from_secs_f64(median(p50)),
        p99: Duration::from_secs_f64(median(p99)),
        connections: median(connections),
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
