//! One configuration, simulated.

use serde::Serialize;

use super::case::Case;
use super::fault::Resource;
use crate::bill::Bill;
use crate::connections::Pool;
use crate::hosts::{Burst, Host, Model, Scaling};
use crate::simulation::{Configuration, Outcome, Usage, needed};
use crate::traffic::Traffic;

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
            if let Some(burst) = size.burst {
                let Usage { instance_seconds, seconds, .. } = outcome.usage;
                // Credit is earned only while a machine runs.
                let instances = (instance_seconds / seconds).max(1e-9);
                add(Resource::Credits, credits(case.traffic, processor / instances, burst));
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

/// The share of its processor time that an instance uses: the smallest one with which what it has saved never runs out.
/// `processor` is what one request of the traffic takes of this instance, in seconds.
fn credits(traffic: &Traffic, processor: f64, burst: Burst) -> f64 {
    let interval = traffic.interval().as_secs_f64();
    let lasts = |share: f64| {
        let most = burst.seconds * share;
        let mut saved = most;
        traffic.counts().iter().all(|requests| {
            saved += burst.cores * share * interval - *requests as f64 * processor;
            let lasts = saved >= 0.0;
            saved = saved.min(most);
            lasts
        })
    };
    let mean = traffic.requests() as f64 * processor / (traffic.span() * burst.cores);
    let (mut low, mut high) = (mean, mean.max(1e-9));
    for _ in 0..40 {
        if lasts(high) {
            break;
        }
        (low, high) = (high, 1.5 * high);
    }
    for _ in 0..12 {
        let middle = (low + high) / 2.0;
        if lasts(middle) { high = middle } else { low = middle }
    }
    high
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_long_peak_uses_up_what_was_saved() {
        // 1/16 of a processor all the time, 500 s saved. An hour at 0.2 of one needs 720 s: 225 of them are earned in that
        // hour, so 495 are taken from what was saved. Nothing comes in the other 23 hours.
        let burst = Burst { cores: 1.0 / 16.0, seconds: 500.0 };
        let hours = |many: usize, requests: u64| {
            let counts = (0..24).map(|hour| if hour < many { requests } else { 0 }).collect();
            Traffic::new("hours", Duration::from_secs(3600), counts)
        };
        let used = credits(&hours(1, 720), 1.0, burst);
        assert!((used - 720.0 / 725.0).abs() < 0.01, "{used}");
        // A second such hour finds the savings used up.
        assert!(credits(&hours(2, 720), 1.0, burst) > 1.4);
        assert!(credits(&hours(24, 60), 1.0, burst) < 0.3);
        assert!(credits(&hours(24, 0), 1.0, burst) < 1e-6);
    }
}
