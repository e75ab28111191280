//! A configuration as lines to set.

use anyhost_core::Paradigm;

use super::trial::Trial;
use crate::hosts::{Host, Model, Scaling};
use crate::text::{count, duration};
use crate::workload::Workload;

/// The lines to set for a configuration: the platform's own first, then the App's environment.
#[must_use]
pub fn settings(host: &Host, workload: &Workload, trial: &Trial, p99: f64) -> Vec<String> {
    let set = &trial.configuration;
    let mut lines = Vec::new();
    let size = match set.size.name.as_str() {
        "" => format!("{} vCPU, {} GB", count(set.size.cores), count(set.size.memory_gb)),
        name => name.to_owned(),
    };
    match &host.model {
        Model::Functions(_) => {
            lines.push(format!("memory: {size}"));
            lines.push(format!("reserved concurrency: {}", set.most));
        }
        Model::Fleet(fleet) => {
            let many = match fleet.scaling {
                Scaling::Fixed { .. } => format!("instances: {} × {size}", set.most),
                _ => format!("instances: {} to {} × {size}", set.least, set.most),
            };
            lines.push(many);
            let limit = fleet.parameters.request_limit_unless_raised_seconds.as_ref();
            let longest = trial.outcome.latency.max;
            if let Some(limit) = limit.filter(|limit| longest > limit.value) {
                let wanted = (1.2 * longest).min(fleet.parameters.request_limit_seconds.value);
                lines.push(format!(
                    "request timeout: {} (the default is {})",
                    duration(wanted),
                    duration(limit.value)
                ));
            }
        }
    }
    if workload.database.is_some() {
        lines.push(format!("APP_INSTANCES={}", set.most));
    }
    if let (Some(size), true) = (set.pool_size, trial.pool.is_some()) {
        lines.push(format!("DATABASE_POOL_SIZE={size}"));
    }
    if host.paradigm == Paradigm::LongRunning {
        lines.push(format!("MAX_IN_FLIGHT={}", in_flight(workload, trial, p99)));
    }
    lines
}

/// Requests at once in one process: one more would wait for longer than the goal for the 99th percentile.
fn in_flight(workload: &Workload, trial: &Trial, p99: f64) -> usize {
    let service = workload.service.mean();
    let by_processors = trial.configuration.size.cores / (service * workload.processor_share);
    let query = service * workload.database_share;
    let by_pool = trial.pool.as_ref().map_or(f64::INFINITY, |pool| pool.size as f64 / query);
    // Little's law: requests inside = the rate that the narrowest part carries × the time that each may take.
    let inside = by_processors.min(by_pool) * p99;
    (inside.min(100_000.0) as usize).max(2)
}
