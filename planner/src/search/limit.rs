//! `MAX_IN_FLIGHT`: how many requests one process lets in at once.

use anyhost_core::Paradigm;

use super::case::Case;
use super::trial::Trial;
use crate::hosts::Host;
use crate::simulation::{Configuration, Infeasible};
use crate::workload::Workload;

/// What a limit may turn away besides, as a share of what the goals allow.
const MORE: f64 = 0.1;

/// The same configuration with the smallest limit that turns away hardly more; without one if none of those that are
/// tried does.
pub(super) fn limited(case: &Case<'_>, host: &Host, trial: Trial) -> Result<Trial, Infeasible> {
    let set = &trial.configuration;
    // A coarse search compares hosts, and no limit makes one cheaper.
    if case.coarse || host.paradigm != Paradigm::LongRunning || set.max_in_flight.is_some() {
        return Ok(trial);
    }
    let Some(least) = in_flight(case.workload, &trial, case.goals.p99) else { return Ok(trial) };
    for factor in [1, 2, 4] {
        let set = Configuration { max_in_flight: Some(factor * least), ..set.clone() };
        let limited = case.run(host, &set)?;
        let more = limited.outcome.refused_share() - trial.outcome.refused_share();
        if case.fault(host, &limited).is_none() && more <= MORE * case.goals.refused {
            return Ok(limited);
        }
    }
    Ok(trial)
}

/// Requests at once in one process: one more would wait for longer than the goal for the 99th percentile. `None` if they
/// wait for others only, so that nothing of this process bounds them.
fn in_flight(workload: &Workload, trial: &Trial, p99: f64) -> Option<usize> {
    let service = workload.service.mean();
    let by_processors = trial.configuration.size.cores / (service * workload.processor_share);
    let query = service * workload.database_share;
    let by_pool = trial.pool.as_ref().map_or(f64::INFINITY, |pool| pool.size as f64 / query);
    // Little's law: requests inside = the rate that the narrowest part carries × the time that each may take.
    let inside = by_processors.min(by_pool) * p99;
    (inside < 1e5).then_some((inside as usize).max(2))
}
