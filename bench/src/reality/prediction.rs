//! The planner's prediction for an App that was measured one request at a time.

use std::fmt::Write as _;
use std::time::Duration;

use anyhost_planner::bill::BillOptions;
use anyhost_planner::hosts::{Catalog, Host};
use anyhost_planner::search::{Case, Goals, search, settings};
use anyhost_planner::simulation::{Configuration, Options, Setup, simulate};
use anyhost_planner::traffic::Traffic;
use anyhost_planner::workload::{Database, Distribution, ProcessorTime, Workload};

use super::{App, Figures, Prediction};

/// The number of simulations, each with its own seed: their median is the prediction, and their range is what may happen.
const DAYS: u64 = 21;

/// The quota's period of a process: Linux' own.
pub(super) const PROCESS_PERIOD: Duration = Duration::from_millis(100);

/// The quota's period of an environment: the one that `data/hosts.toml` has for Lambda.
pub(super) const ENVIRONMENT_PERIOD: Duration = Duration::from_millis(20);

/// What the planner is told: this machine as a host, and the App as it was measured.
pub(super) struct Plan {
    host: Host,
    workload: Workload,
}

/// A configuration that the search recommends, and its lines that are an App's environment.
pub(super) struct Recommended {
    pub(super) configuration: Configuration,
    pub(super) lines: Vec<(String, String)>,
}

impl Plan {
    /// One process with so many processors.
    pub(super) fn of_process(app: &App, cores: f64) -> Result<Self, String> {
        let host = format!(
            r#"[[host]]
name = "here"
title = "one process on this machine"
short = "here"
kind = "fleet"
sizes = [{{ cores = {cores:?}, memory_gb = 4 }}]
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
                ("quota_period_seconds", PROCESS_PERIOD.as_secs_f64()),
            ])
        );
        Self::new(&host, app)
    }

    /// Functions with so many processors each: a start takes the measured time, and the number of environments is
    /// unlimited.
    pub(super) fn of_functions(app: &App, cores: f64) -> Result<Self, String> {
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
                // The App needs one gigabyte, and gets the least that it needs.
                ("gb_per_core", 1.0 / cores),
                ("min_memory_gb", 0.125),
                ("max_memory_gb", 10.0),
                ("billing_step_ms", 1.0),
                ("init_billed", 1.0),
                ("request_limit_seconds", 60.0),
                ("run_limit_seconds", 60.0),
                ("quota_period_seconds", ENVIRONMENT_PERIOD.as_secs_f64()),
            ])
        );
        Self::new(&host, app)
    }

    fn new(host: &str, app: &App) -> Result<Self, String> {
        let catalog = Catalog::parse("the benchmark", host).map_err(|error| error.to_string())?;
        let host = catalog.host("here").ok_or("the host is in it")?.clone();
        let App { service, database_share, processor_share, processor_before, starts: _ } =
            app.clone();
        let workload = Workload {
            service,
            database_share,
            processor_share,
            processor_before,
            // Notes of one length take the App the same time; what varies is the trigger's sleep.
            processor_time: ProcessorTime::Constant,
            memory_gb: 1.0,
            start: 0.0,
            patience: None,
            database: Some(Database::default()),
        };
        Ok(Self { host, workload })
    }

    /// What the search recommends for a traffic.
    pub(super) fn recommend(&self, traffic: &Traffic) -> Result<Recommended, String> {
        let Self { host, workload } = self;
        let case = Case {
            workload,
            traffic,
            goals: Goals::for_service(workload.service.p99()),
            bill: &BillOptions::default(),
            options: options(1),
            coarse: false,
        };
        let found = search(&case, host, f64::INFINITY).map_err(|error| error.to_string())?;
        if let Some(fault) = &found.fault {
            return Err(format!("{} misses the goals: {fault:?}", traffic.name()));
        }
        // The platform's own lines are words; the App's environment is `NAME=value`.
        let lines = settings(host, workload, &found.trial);
        let lines = lines.iter().filter_map(|line| line.split_once('='));
        let lines = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Recommended { configuration: found.trial.configuration, lines })
    }

    /// The figures with a configuration, or with core's own formulas.
    pub(super) fn predict(
        &self,
        traffic: &Traffic,
        configuration: Option<&Configuration>,
    ) -> Result<Prediction, String> {
        let Self { host, workload } = self;
        let configuration = match configuration {
            Some(configuration) => configuration.clone(),
            None => Configuration::guess(host, workload, traffic, None)
                .map_err(|error| error.to_string())?,
        };
        let day = |seed| {
            let options = options(seed);
            let setup = Setup::new(host, workload, traffic, configuration.clone(), &options);
            let outcome = simulate(&setup.map_err(|error| error.to_string())?);
            Ok(Figures {
                p50: Duration::from_secs_f64(outcome.latency.p50),
                p99: Duration::from_secs_f64(outcome.latency.p99),
                connections: outcome.peak_connections as f64,
                refused: outcome.refused_share(),
            })
        };
        (1..=DAYS).map(day).collect::<Result<_, String>>().map(Prediction)
    }
}

fn options(seed: u64) -> Options {
    Options { seed, deploys_per_day: 0.0, ..Options::default() }
}

fn parameters(all: &[(&str, f64)]) -> String {
    let line = |(name, value): &(&str, f64)| {
        format!(
            "{name} = {{ value = {value:?}, source = \"the benchmark\", dated = 2026-11-23 }}\n"
        )
    };
    all.iter().map(line).collect()
}
