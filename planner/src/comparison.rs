//! Every host under the same traffic, what each would do, and which to take.

use std::thread;

use anyhost_core::Paradigm;
use anyhost_core::db::Plan;
use serde::Serialize;

use crate::break_even::Curves;
use crate::cost::Cost;
use crate::model::{Catalog, Host};
use crate::simulation::{Infeasible, Options, Outcome, Progress, Setup, simulate};
use crate::traffic::{Statistics, Traffic};
use crate::verdict::{Goals, Verdict};
use crate::workload::Workload;

/// Every host under the same traffic.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What the traffic is called.
    pub traffic: String,
    /// Its figures.
    pub statistics: Statistics,
    /// What random numbers began with.
    pub seed: u64,
    /// The most connections that the database, or the pooler before it, takes.
    pub connection_limit: usize,
    /// Each host with what it would do, in the order of the catalog.
    pub candidates: Vec<Candidate>,
    /// Costs over load.
    pub curves: Curves,
    /// Which to take, and why.
    pub verdict: Verdict,
}

/// A host with what it would do.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// The name on the command line.
    pub host: String,
    /// The name in reports.
    pub title: String,
    /// A name that fits a column.
    pub short: String,
    /// What a reader should know besides the figures.
    pub note: String,
    /// `long-running` or `serverless`.
    pub paradigm: String,
    /// What it would do, or why it cannot run the App.
    pub result: Result<Run, String>,
}

/// What a host would do.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Processors of one instance.
    pub cores: f64,
    /// Memory of one instance, in GB.
    pub memory_gb: f64,
    /// The most instances that were allowed.
    pub most_instances: usize,
    /// Connections of one process, by core's plan.
    pub pool: usize,
    /// Core's arithmetic.
    pub plan: String,
    /// Core's refusal of a larger deployment, where the database bounds this one.
    pub bounded: Option<String>,
    /// What the simulation found.
    pub outcome: Outcome,
    /// What it costs.
    pub cost: Cost,
}

impl Candidate {
    /// Whether it is a serverless one.
    #[must_use]
    pub fn is_serverless(&self) -> bool {
        self.paradigm == Paradigm::Serverless.to_string()
    }
}

impl Comparison {
    /// Simulates every host, two at a time, and compares.
    ///
    /// `watch` gives each host what its progress is told to.
    ///
    /// # Panics
    /// Never, unless a simulation does.
    #[must_use]
    pub fn new(
        catalog: &Catalog,
        names: &[String],
        workload: &Workload,
        traffic: &Traffic,
        options: &Options,
        goals: &Goals,
        watch: impl Fn(&Host) -> Progress,
    ) -> Self {
        let hosts = catalog
            .hosts()
            .iter()
            .filter(|host| names.is_empty() || names.contains(&host.name))
            .collect::<Vec<_>>();
        let jobs = hosts
            .iter()
            .map(|host| (*host, Options { progress: watch(host), ..options.clone() }))
            .collect::<Vec<_>>();
        let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len().max(1));
        let mut results = jobs.iter().map(|_| None).collect::<Vec<_>>();
        thread::scope(|scope| {
            // Host i goes to thread i modulo their number; what each finds depends on nothing else.
            let handles = (0..threads).map(|thread| {
                let jobs = jobs.iter().enumerate().skip(thread).step_by(threads);
                scope.spawn(move || {
                    jobs.map(|(index, (host, options))| {
                        (index, run(host, workload, traffic, options))
                    })
                    .collect::<Vec<_>>()
                })
            });
            for handle in handles.collect::<Vec<_>>() {
                for (index, result) in handle.join().expect("a simulation does not panic") {
                    results[index] = Some(result);
                }
            }
        });
        let candidates = hosts
            .iter()
            .zip(results)
            .map(|(host, result)| Candidate {
                host: host.name.clone(),
                title: host.title.clone(),
                short: host.short.clone(),
                note: host.note.clone(),
                paradigm: host.paradigm().to_string(),
                result: result
                    .expect("every host was given to a thread")
                    .map_err(|Infeasible(reason)| reason),
            })
            .collect::<Vec<_>>();
        let statistics = Statistics::from(traffic);
        let curves = Curves::new(&hosts, workload, traffic);
        let verdict = Verdict::new(&candidates, &statistics, &curves, goals);
        Self {
            traffic: traffic.name().to_owned(),
            statistics,
            seed: options.seed,
            connection_limit: workload.database.limit(),
            candidates,
            curves,
            verdict,
        }
    }

    /// The candidate with a name.
    #[must_use]
    pub fn candidate(&self, host: &str) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.host == host)
    }
}

fn run(
    host: &Host,
    workload: &Workload,
    traffic: &Traffic,
    options: &Options,
) -> Result<Run, Infeasible> {
    let setup = Setup::new(host, workload, traffic, options)?;
    let outcome = simulate(&setup);
    let cost = Cost::of(host, &outcome.usage);
    let plan: &Plan = &setup.deployment.plan;
    Ok(Run {
        cores: setup.size.cores,
        memory_gb: setup.size.memory_gb,
        most_instances: setup.deployment.instances,
        pool: plan.size(),
        plan: plan.explain().to_owned(),
        bounded: setup.deployment.refused.as_ref().map(|(_, reason)| reason.clone()),
        outcome,
        cost,
    })
}
