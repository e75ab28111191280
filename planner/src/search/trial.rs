//! One configuration, simulated.

use serde::Serialize;

use super::case::Case;
use super::fault::Resource;
use crate::bill::Bill;
use crate::connections::Pool;
use crate::hosts::{Host, Model, Scaling};
use crate::simulation::{Configuration, Outcome, Usage, needed};

/// One configuration, simulated.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What is set.
    pub configuration: Configuration,
    /// The pool of one process; `None` for an App without a database.
    pub pool: Option<Pool>,
    /// What the simulation found.
    pub outcome: Outcome,
    /// What it costs.
    pub bill: Bill,
    /// What is in use in the busiest minute.
    pub headroom: Vec<Headroom>,
}

/// How much of something is in use in the busiest minute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Headroom {
    /// What is in use.
    pub resource: Resource,
    /// The share of it.
    pub utilisation: f64,
}

/// What is in use in the busiest minute, by arithmetic on the means: rate × time / servers.
pub(crate) fn headroom(
    case: &Case<'_>,
    host: &Host,
    configuration: &Configuration,
    pool: &Option<Pool>,
    outcome: &Outcome,
) -> Vec<Headroom> {
    let workload = case.workload;
    let service = workload.service.mean();
    let peak = case.peak();
    let processor = service * workload.processor_share;
    let query = service * workload.database_share;
    let mut used = Vec::new();
    let mut add = |resource, utilisation: f64| used.push(Headroom { resource, utilisation });
    match &host.model {
        Model::Functions(_) => add(Resource::Places, peak * service / configuration.most as f64),
        Model::Fleet(fleet) => {
            let size = &configuration.size;
            let running = running_at_peak(case, host, configuration) as f64;
            add(Resource::Processors, peak * processor / (running * size.cores));
            if let Some(baseline) = size.baseline_cores {
                // Credit is earned only while a machine runs.
                let Usage { processor_seconds, instance_seconds, .. } = outcome.usage;
                add(Resource::Credits, processor_seconds / (instance_seconds * baseline).max(1e-9));
            }
            if let Some(places) = &fleet.parameters.concurrency_per_core {
                add(Resource::Places, peak * service / (running * places.value * size.cores));
            }
            if let Some(pool) = pool {
                add(Resource::Pool, peak * query / (running * pool.size as f64));
            }
        }
    }
    if let Some(database) = &workload.database {
        if let Some(connections) = database.server_connections() {
            add(Resource::ServerConnections, peak * query / connections as f64);
        }
        if let Some(cpus) = database.cpus {
            add(Resource::DatabaseProcessors, peak * query * database.cpu_share / cpus as f64);
        }
    }
    used
}

/// Instances that run in the busiest minute, once the scaler has caught up.
pub(crate) fn running_at_peak(case: &Case<'_>, host: &Host, set: &Configuration) -> usize {
    let Model::Fleet(fleet) = &host.model else { return set.most };
    match fleet.scaling {
        Scaling::Fixed { .. } => set.most,
        Scaling::Autostop { .. } => {
            let places = fleet.parameters.concurrency_per_core.as_ref().map_or(1.0, |c| c.value);
            let full = case.peak() * case.workload.service.mean() / (places * set.size.cores);
            (full.ceil() as usize).clamp(set.least.max(1), set.most)
        }
        Scaling::Utilisation { .. } | Scaling::Requests { .. } => {
            needed(fleet, &set.size, case.workload, case.peak()).clamp(set.least.max(1), set.most)
        }
    }
}
