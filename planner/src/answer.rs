//! Every host under the same traffic, the cheapest configuration of each, and which to take.

mod candidate;
mod flips;
mod inputs;
mod range;
mod words;

use serde::Serialize;

pub use candidate::{Candidate, Ranges, Run};
pub use flips::{Change, Flips};
pub use inputs::{DatabaseInputs, Inputs, ServiceInputs};
pub use range::Range;

use crate::bill::BillOptions;
use crate::hosts::{Catalog, Host};
use crate::search::{Case, Goals};
use crate::simulation::{Options, Progress};
use crate::traffic::{Demand, Statistics};
use crate::workload::Workload;

/// The version of the JSON that an answer is written as.
pub const SCHEMA: u32 = 1;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The hosts.
    pub catalog: &'a Catalog,
    /// Only these, by name; all if it is empty.
    pub names: &'a [String],
    /// The App.
    pub workload: &'a Workload,
    /// The traffic.
    pub demand: &'a Demand,
    /// What must be reached.
    pub goals: Goals,
    /// What is on the bill.
    pub bill: &'a BillOptions,
    /// How to simulate.
    pub options: Options,
    /// Whether to look for the loads at which the answer changes.
    pub flips: bool,
}

/// Every host under the same traffic, and which to take.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The version of this JSON.
    pub schema: u32,
    /// The version of the program.
    pub version: &'static str,
    /// All that the answer depends on besides the traffic.
    pub inputs: Inputs,
    /// What the traffic is called.
    pub traffic: String,
    /// The length of one interval of the traffic, in seconds.
    pub interval: f64,
    /// Its figures.
    pub statistics: Statistics,
    /// The host to take; `None` if none reaches the goals.
    pub host: Option<String>,
    /// The answer in one sentence.
    pub sentence: String,
    /// Why, a sentence each.
    pub reasons: Vec<String>,
    /// What to know before relying on it, a sentence each.
    pub warnings: Vec<String>,
    /// Where the answer changes.
    pub flips: Flips,
    /// Each host with its cheapest configuration, in the order of the catalog.
    pub candidates: Vec<Candidate>,
    /// Requests per interval, for plots.
    #[serde(skip)]
    pub peaks: Vec<crate::traffic::Stretch>,
}

impl Answer {
    /// Searches every host and compares. `watch` gives each host a place to report its progress.
    ///
    /// # Panics
    /// Never, unless a simulation does.
    #[must_use]
    pub fn new(question: &Question<'_>, watch: impl Fn(&Host) -> Progress) -> Self {
        let hosts = question.hosts();
        let progress = hosts.iter().map(|host| watch(host)).collect::<Vec<_>>();
        let coarse = in_parallel(&hosts, |host| candidate::coarse(question, host));
        let settled = candidate::worth_settling(&hosts, &coarse);
        let jobs = hosts.iter().zip(&progress).zip(coarse).zip(settled).collect::<Vec<_>>();
        let candidates = in_parallel(&jobs, |(((host, progress), found), settled)| {
            let found = found.clone();
            let trials = if *settled {
                found.and_then(|found| candidate::settled(question, host, found, progress))
            } else {
                found.map(|found| (found.clone(), vec![found.trial]))
            };
            progress.done();
            candidate::new(question, host, trials)
        });
        let traffic = &question.demand.traffic;
        let statistics = Statistics::from(traffic);
        let best = best(&candidates);
        let choices = hosts.iter().copied().filter(|host| !question.sets_aside(host));
        let choices = choices.collect::<Vec<_>>();
        let flips = match best {
            Some(best) if question.flips => flips::find(question, &choices, best),
            _ => Flips::default(),
        };
        let mut warnings = words::warnings(question, &candidates, best);
        warnings.extend(words::bursts(question, &choices, best));
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            inputs: Inputs::from_question(question),
            traffic: traffic.name().to_owned(),
            interval: traffic.interval().as_secs_f64(),
            host: best.map(|best| best.host.clone()),
            sentence: words::sentence(best, &candidates),
            reasons: words::reasons(question, &statistics, best, &candidates),
            warnings,
            statistics,
            flips,
            candidates,
            peaks: traffic.stretches(240),
        }
    }

    /// The candidate with a name.
    #[must_use]
    pub fn candidate(&self, host: &str) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.host == host)
    }

    /// The host to take.
    #[must_use]
    pub fn best(&self) -> Option<&Candidate> {
        self.host.as_ref().and_then(|host| self.candidate(host))
    }
}

impl Question<'_> {
    pub(crate) fn hosts(&self) -> Vec<&Host> {
        let all = self.catalog.hosts().iter();
        all.filter(|host| self.names.is_empty() || self.names.contains(&host.name)).collect()
    }

    /// Whether a host is listed but not chosen: its processes are taken back, which is not simulated, and the user did not
    /// name it.
    pub(crate) fn sets_aside(&self, host: &Host) -> bool {
        host.interruptible && !self.names.contains(&host.name)
    }

    /// The case of a seed's traffic.
    pub(crate) fn case<'a>(&'a self, traffic: &'a crate::traffic::Traffic, seed: u64) -> Case<'a> {
        Case {
            workload: self.workload,
            traffic,
            goals: self.goals,
            bill: self.bill,
            options: Options { seed, ..self.options.clone() },
            coarse: false,
        }
    }
}

/// The cheapest candidate that reaches the goals and is not set aside.
fn best(candidates: &[Candidate]) -> Option<&Candidate> {
    let fits = candidates.iter().filter(|candidate| candidate.is_eligible());
    fits.min_by(|a, b| a.month().total_cmp(&b.month()))
}

/// Does jobs on as many threads as there are processors; results are in the order of the jobs.
pub(crate) fn in_parallel<J: Sync, R: Send>(jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let next = AtomicUsize::new(0);
    let (next, work) = (&next, &work);
    let mut results = std::thread::scope(|scope| {
        let worker = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(index) else { return done };
                done.push((index, work(job)));
            }
        };
        let handles = (0..threads).map(|_| scope.spawn(worker)).collect::<Vec<_>>();
        let joined = handles.into_iter().map(|handle| handle.join());
        joined.flat_map(|done| done.expect("a simulation does not panic")).collect::<Vec<_>>()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
