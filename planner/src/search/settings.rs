//! A configuration as lines to set.

use super::trial::Trial;
use crate::hosts::{Host, Model, Scaling};
use crate::text::{count, duration};
use crate::workload::Workload;

/// The lines to set for a configuration: the platform's own first, then the App's environment.
#[must_use]
pub fn settings(host: &Host, workload: &Workload, trial: &Trial) -> Vec<String> {
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
            if set.least > 0 {
                lines.push(format!("provisioned concurrency: {}", set.least));
            }
        }
        Model::Fleet(fleet) => {
            let many = match fleet.scaling {
                Scaling::Fixed { .. } => format!("instances: {} × {size}", set.most),
                _ => format!("instances: {} to {} × {size}", set.least, set.most),
            };
            lines.push(many);
            if let (Scaling::Autostop { .. }, Some(soft)) =
                (&fleet.scaling, &fleet.parameters.concurrency_per_core)
            {
                let soft = soft.value * set.size.cores;
                lines.push(format!("auto_stop_machines: stop, soft_limit: {}", count(soft)));
            }
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
    lines.extend(set.max_in_flight.map(|most| format!("MAX_IN_FLIGHT={most}")));
    lines
}
