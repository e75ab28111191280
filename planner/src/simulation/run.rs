//! Sets a deployment up for a traffic and simulates it.

use std::fmt;

use anyhost_core::db::Plan;

use super::{Mode, Nanos, Outcome, Progress, aggregate, exact};
use crate::connections::{self, Deployment};
use crate::model::{Fleet, Functions, Host, Model, Scaling, Size};
use crate::traffic::Traffic;
use crate::workload::Workload;

/// How to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// What random numbers begin with: the same seed gives the same result.
    pub seed: u64,
    /// The most requests that are simulated one by one.
    pub exact_up_to: u64,
    /// The most instances or environments, where it shall not be the host's own limit.
    pub max_instances: Option<usize>,
    /// New versions per day; while one comes, old and new processes overlap.
    pub deploys_per_day: f64,
    /// Told how far it is.
    pub progress: Progress,
}

impl Default for Options {
    /// Seed 1, up to 3 million requests one by one, one deploy a day.
    fn default() -> Self {
        Self {
            seed: 1,
            exact_up_to: 3_000_000,
            max_instances: None,
            deploys_per_day: 1.0,
            progress: Progress::default(),
        }
    }
}

/// Why an App cannot run on a host at all, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Infeasible(pub String);

impl fmt::Display for Infeasible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A deployment of an App on a host, sized for a traffic.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// The host.
    pub host: &'a Host,
    /// The App.
    pub workload: &'a Workload,
    /// The traffic.
    pub traffic: &'a Traffic,
    /// Processors and memory of one instance or environment.
    pub size: Size,
    /// Core's plan for it.
    pub deployment: Deployment,
    /// Instances that always run.
    pub least: usize,
    /// Instances at the start: what the first interval asks for, since no deployment begins with its trace.
    pub first: usize,
    pub(crate) options: &'a Options,
}

impl<'a> Setup<'a> {
    /// Sizes a deployment.
    ///
    /// # Errors
    /// [`Infeasible`] where memory or connections do not suffice for a single process.
    pub fn new(
        host: &'a Host,
        workload: &'a Workload,
        traffic: &'a Traffic,
        options: &'a Options,
    ) -> Result<Self, Infeasible> {
        let size = size(host, workload)?;
        let (least, first, wished, overlap) = match &host.model {
            Model::Fleet(fleet) => wished(fleet, size, workload, traffic, options),
            Model::Functions(functions) => {
                let most = functions.parameters.max_environments.value as usize;
                (0, 0, options.max_instances.unwrap_or(most).clamp(1, most), 1.0)
            }
        };
        let deployment =
            connections::deploy(host.paradigm(), size.cores, wished, overlap, &workload.database)
                .map_err(|error| Infeasible(error.to_string()))?;
        let least = least.min(deployment.instances);
        let first = first.clamp(least, deployment.instances);
        Ok(Self { host, workload, traffic, size, deployment, least, first, options })
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.deployment.plan
    }

    /// Means of the parts of a request on this size, in seconds.
    pub(crate) fn parts(&self) -> Parts {
        let Workload { service, database_share, processor_share, .. } = self.workload;
        let servers = self.size.cores.ceil().max(1.0);
        Parts {
            servers: servers as usize,
            processor: processor_share / (self.size.cores / servers),
            database: *database_share,
            elsewhere: (1.0 - processor_share - database_share).max(0.0),
            service: service.mean(),
        }
    }
}

/// How a request's service time is spent, as factors of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    /// Requests that one instance can compute at once.
    pub(crate) servers: usize,
    /// On a processor: longer where an instance has less than a whole one.
    pub(crate) processor: f64,
    /// With a connection.
    pub(crate) database: f64,
    /// Waiting for others.
    pub(crate) elsewhere: f64,
    /// The mean service time, in seconds.
    pub(crate) service: f64,
}

impl Parts {
    /// The whole of a request without any queue, as a factor of its service time.
    pub(crate) fn whole(self) -> f64 {
        self.processor + self.database + self.elsewhere
    }
}

/// While a new version comes, old and new processes overlap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deploys {
    every: f64,
    length: f64,
    overlap: f64,
}

impl Deploys {
    pub(crate) fn new(per_day: f64, length: f64, overlap: f64) -> Self {
        Self { every: 86_400.0 / per_day.max(1e-9), length, overlap }
    }

    /// How many times as many processes there are at a moment. Deploys come in the middle of their period.
    pub(crate) fn factor(self, now: Nanos) -> f64 {
        let phase = (now.seconds() + self.every / 2.0) % self.every;
        // The first period begins in its middle only after half of it has passed.
        if phase < self.length && now.seconds() >= self.every / 2.0 { self.overlap } else { 1.0 }
    }

    /// Deploys up to a moment.
    pub(crate) fn before(self, now: Nanos) -> u64 {
        ((now.seconds() + self.every / 2.0) / self.every) as u64
    }
}

/// Simulates a deployment: exactly up to [`Options::exact_up_to`] requests, else in aggregate.
#[must_use]
pub fn simulate(setup: &Setup<'_>) -> Outcome {
    let exact = setup.traffic.requests() <= setup.options.exact_up_to;
    let outcome = match (&setup.host.model, exact) {
        (Model::Fleet(fleet), true) => exact::fleet(setup, fleet).finish(Mode::Exact),
        (Model::Fleet(fleet), false) => aggregate::fleet(setup, fleet).finish(Mode::Aggregate),
        (Model::Functions(functions), true) => {
            exact::functions(setup, &functions.parameters).finish(Mode::Exact)
        }
        (Model::Functions(functions), false) => {
            aggregate::functions(setup, &functions.parameters).finish(Mode::Aggregate)
        }
    };
    setup.options.progress.done();
    outcome
}

fn size(host: &Host, workload: &Workload) -> Result<Size, Infeasible> {
    let needed = workload.memory_gb;
    match &host.model {
        Model::Fleet(Fleet { sizes, .. }) => {
            sizes.iter().copied().find(|size| size.memory_gb >= needed).ok_or_else(|| {
                let most = sizes.iter().map(|size| size.memory_gb).fold(0.0, f64::max);
                Infeasible(format!("the App needs {needed} GB, the largest instance has {most}"))
            })
        }
        Model::Functions(Functions { parameters }) => {
            let most = parameters.max_memory_gb.value;
            if needed > most {
                return Err(Infeasible(format!(
                    "the App needs {needed} GB, a function has at most {most}"
                )));
            }
            let memory_gb = needed.max(parameters.min_memory_gb.value);
            Ok(Size { cores: memory_gb / parameters.gb_per_core.value, memory_gb })
        }
    }
}

/// Instances that always run, that run at first, that core shall plan for; and the overlap of a deploy.
fn wished(
    fleet: &Fleet,
    size: Size,
    workload: &Workload,
    traffic: &Traffic,
    options: &Options,
) -> (usize, usize, usize, f64) {
    let parameters = &fleet.parameters;
    let most = parameters.max_instances.value as usize;
    let most = options.max_instances.unwrap_or(most).clamp(1, most);
    let least = (parameters.min_instances.value as usize).min(most);
    let target = fleet.scaling.utilisation();
    let needed = |rate: f64| {
        let busy = rate * workload.service.mean();
        let by_use = busy * workload.processor_share / (size.cores * target);
        let places = parameters
            .concurrency_per_core
            .as_ref()
            .map_or(0.0, |per_core| busy / (per_core.value * size.cores * target));
        (by_use.max(places).ceil() as usize).clamp(least, most)
    };
    let first = traffic.counts().first().copied().unwrap_or(0) as f64;
    let first = needed(first / traffic.interval().as_secs_f64());
    let peak = needed(traffic.peak()).max(1);
    let overlap = parameters.overlap.value;
    match fleet.scaling {
        Scaling::Fixed { .. } => (peak, peak, peak, overlap),
        // Room for half as much again, and for one to be replaced.
        Scaling::Utilisation { .. } | Scaling::Requests { .. } => {
            (least, first, (peak + peak.div_ceil(2)).max(least + 1).min(most), overlap)
        }
    }
}
