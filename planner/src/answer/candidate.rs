//! One host with its cheapest configuration.

use anyhost_core::Paradigm;
use serde::Serialize;

use super::{Question, Range};
use crate::bill::Bill;
use crate::hosts::Host;
use crate::search::{Case, Choice, Fault, Headroom, Trial, search, settings, settle};
use crate::simulation::{Configuration, Infeasible, Outcome, Progress};
use crate::traffic::Traffic;

/// A host with its cheapest configuration.
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
    /// Whether it is listed but not chosen: the provider takes its processes back, and the user did not name it.
    pub set_aside: bool,
    /// What it misses, in words; `None` if it reaches the goals.
    pub misses: Option<String>,
    /// The same for programs; `None` also if the App cannot run there at all.
    pub fault: Option<Fault>,
    /// The configuration and what it does; `None` if the App cannot run there at all.
    pub run: Option<Run>,
}

/// A configuration and what it does.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The provider's name of the size, if it has one.
    pub size: String,
    /// Processors of one instance.
    pub cores: f64,
    /// Memory of one instance, in GB.
    pub memory_gb: f64,
    /// Instances that always run.
    pub least_instances: usize,
    /// The most instances, or the reserved concurrency.
    pub most_instances: usize,
    /// Connections of one process; 0 without a database.
    pub pool: usize,
    /// Core's arithmetic of it.
    pub plan: String,
    /// The lines to set.
    pub settings: Vec<String>,
    /// What they set, for another simulation.
    #[serde(skip)]
    pub configuration: Configuration,
    /// The least `max_connections` with which the goals are reached.
    pub least_max_connections: Option<usize>,
    /// What is in use in the busiest minute.
    pub headroom: Vec<Headroom>,
    /// Figures over several seeds.
    pub ranges: Ranges,
    /// What the simulation with the first seed found.
    pub outcome: Outcome,
    /// What it costs, by the first seed.
    pub bill: Bill,
}

/// Figures over several seeds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ranges {
    /// How many seeds.
    pub seeds: usize,
    /// US dollars a month.
    pub month: Range,
    /// Seconds.
    pub p50: Range,
    /// Seconds.
    pub p99: Range,
    /// Seconds.
    pub p999: Range,
    /// The share of requests turned away.
    pub refused: Range,
    /// Requests that waited for a start.
    pub cold_starts: Range,
    /// Processes on average.
    pub mean_instances: Range,
    /// Processes at most.
    pub peak_instances: Range,
    /// Open connections at most.
    pub peak_connections: Range,
}

impl Candidate {
    /// Whether it reaches the goals.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.misses.is_none()
    }

    /// Whether it may be the answer: it reaches the goals and is not set aside.
    #[must_use]
    pub fn is_eligible(&self) -> bool {
        self.fits() && !self.set_aside
    }

    /// US dollars a month; infinite if the App cannot run there.
    #[must_use]
    pub fn month(&self) -> f64 {
        self.run.as_ref().map_or(f64::INFINITY, |run| run.ranges.month.median)
    }

    /// Whether its paradigm is the serverless one.
    #[must_use]
    pub fn is_serverless(&self) -> bool {
        self.paradigm == anyhost_core::Paradigm::Serverless.to_string()
    }
}

/// Requests of all seeds together that are worth simulating one by one.
const BUDGET: u64 = 2_000_000;

fn seeds(question: &Question<'_>) -> u64 {
    let requests = question.demand.traffic.requests().max(1);
    if requests > question.options.exact_up_to { 3 } else { (BUDGET / requests).clamp(3, 7) }
}

/// Hosts of each paradigm that are simulated in full, the cheapest ones.
const SETTLED: usize = 4;

/// Searches a host with coarse simulations.
pub(crate) fn coarse(question: &Question<'_>, host: &Host) -> Result<Choice, Infeasible> {
    let first = question.options.seed;
    let case = Case { coarse: true, ..question.case(&question.demand.traffic, first) };
    search(&case, host, f64::INFINITY)
}

/// Which hosts are worth a full simulation: the cheapest of each paradigm that reach the goals.
pub(crate) fn worth_settling(hosts: &[&Host], coarse: &[Result<Choice, Infeasible>]) -> Vec<bool> {
    let mut worth = vec![false; hosts.len()];
    for paradigm in [Paradigm::LongRunning, Paradigm::Serverless] {
        let fitting = coarse.iter().enumerate().filter_map(|(index, found)| {
            let found = found.as_ref().ok().filter(|found| found.fits())?;
            (hosts[index].paradigm == paradigm).then_some((index, found.trial.bill.month))
        });
        let mut fitting = fitting.collect::<Vec<_>>();
        fitting.sort_by(|a, b| a.1.total_cmp(&b.1));
        fitting.iter().take(SETTLED).for_each(|(index, _)| worth[*index] = true);
    }
    worth
}

/// A host with what was found.
pub(crate) fn new(
    question: &Question<'_>,
    host: &Host,
    result: Result<(Choice, Vec<Trial>), Infeasible>,
) -> Candidate {
    let mut candidate = Candidate {
        host: host.name.clone(),
        title: host.title.clone(),
        short: host.short.clone(),
        note: host.note.clone(),
        paradigm: host.paradigm.to_string(),
        set_aside: question.sets_aside(host),
        misses: None,
        fault: None,
        run: None,
    };
    match result {
        Err(Infeasible(reason)) => candidate.misses = Some(reason),
        Ok((found, trials)) => {
            candidate.misses = found.fault.as_ref().map(ToString::to_string);
            candidate.fault.clone_from(&found.fault);
            candidate.run = Some(run(question, host, found, &trials));
        }
    }
    candidate
}

/// Checks what was found with every seed, in full.
pub(crate) fn settled(
    question: &Question<'_>,
    host: &Host,
    mut found: Choice,
    progress: &Progress,
) -> Result<(Choice, Vec<Trial>), Infeasible> {
    let first = question.options.seed;
    let many = seeds(question);
    let traffics = (0..many)
        .map(|index| first.wrapping_add(index))
        .map(|seed| (seed, question.demand.with_seed(seed)))
        .collect::<Vec<(u64, Traffic)>>();
    let mut trials = Vec::new();
    for (index, (seed, traffic)) in traffics.iter().enumerate() {
        let settled = settle(&question.case(traffic, *seed), host, found.clone())?;
        if settled.trial.configuration != found.trial.configuration {
            trials.clear();
        }
        trials.push(settled.trial.clone());
        progress.at((index + 1) as f64 / traffics.len() as f64);
        found = settled;
        if !found.fits() {
            let trials = vec![found.trial.clone()];
            return Ok((found, trials));
        }
    }
    // Seeds that were settled before the configuration changed run again with the last one.
    let mut earlier = Vec::new();
    for (seed, traffic) in traffics.iter().take(traffics.len() - trials.len()) {
        earlier.push(question.case(traffic, *seed).run(host, &found.trial.configuration)?);
    }
    earlier.extend(trials);
    if let Some(first) = earlier.first() {
        found.trial = first.clone();
    }
    Ok((found, earlier))
}

fn run(question: &Question<'_>, host: &Host, found: Choice, trials: &[Trial]) -> Run {
    let range = |value: &dyn Fn(&Trial) -> f64| Range::spanning(trials.iter().map(value));
    let ranges = Ranges {
        seeds: trials.len(),
        month: range(&|trial| trial.bill.month),
        p50: range(&|trial| trial.outcome.latency.p50),
        p99: range(&|trial| trial.outcome.latency.p99),
        p999: range(&|trial| trial.outcome.latency.p999),
        refused: range(&|trial| trial.outcome.refused_share()),
        cold_starts: range(&|trial| trial.outcome.cold_starts as f64),
        mean_instances: range(&|trial| trial.outcome.mean_instances),
        peak_instances: range(&|trial| trial.outcome.peak_instances as f64),
        peak_connections: range(&|trial| trial.outcome.peak_connections as f64),
    };
    let settings = settings(host, question.workload, &found.trial);
    let Choice { trial, least_max_connections, .. } = found;
    let Trial { configuration: set, pool, outcome, bill, headroom } = trial;
    Run {
        size: set.size.name.clone(),
        cores: set.size.cores,
        memory_gb: set.size.memory_gb,
        least_instances: set.least,
        most_instances: set.most,
        pool: pool.as_ref().map_or(0, |pool| pool.size),
        plan: pool.map_or("no database".into(), |pool| pool.explanation),
        settings,
        configuration: set,
        least_max_connections,
        headroom,
        ranges,
        outcome,
        bill,
    }
}
