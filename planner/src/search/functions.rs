//! The search for functions: the smallest reserved concurrency that reaches the goals, and whether the database has as
//! many connections.

use super::Found;
use super::case::Case;
use super::fault::Fault;
use super::trial::Trial;
use crate::hosts::{Functions, Host, Size};
use crate::simulation::{Configuration, Infeasible};

pub(super) fn search(
    case: &Case<'_>,
    host: &Host,
    functions: &Functions,
    size: Size,
) -> Result<Found, Infeasible> {
    let limit = functions.parameters.max_environments.value as usize;
    let limit = case.options.max_instances.unwrap_or(limit).clamp(1, limit);
    let set = |most| Configuration { size: size.clone(), least: 0, most, pool_size: None };
    let widest = case.run_with_room(host, &set(limit))?;
    if let Some(fault) = case.fault(host, &widest) {
        return Ok(Found { trial: widest, fault: Some(fault), least_max_connections: None });
    }
    let least = least_concurrency(case, host, &set, &widest)?;
    let Some(database) = &case.workload.database else {
        let most = with_headroom(case, least).min(limit);
        let trial = case.run(host, &set(most))?;
        return Ok(Found { trial, fault: None, least_max_connections: None });
    };
    let pool = widest.pool.as_ref().map_or(1, |pool| pool.size);
    let deployment = set(least).deployment(host);
    let needed = deployment.least_max_connections(pool, database.reserved);
    let fits = set(with_headroom(case, least).min(limit)).deployment(host).most_instances(database);
    if fits < least {
        let trial = case.run_with_room(host, &set(least))?;
        let month = trial.bill.month;
        let trial = if fits == 0 { trial } else { case.run(host, &set(fits))? };
        let fault = Fault::Connections { needed, given: database.limit(), month };
        return Ok(Found { trial, fault: Some(fault), least_max_connections: Some(needed) });
    }
    let trial = case.run(host, &set(fits))?;
    let fault = case.fault(host, &trial);
    let least_max_connections = connections(case, host, &trial);
    Ok(Found { trial, fault, least_max_connections })
}

/// The least `max_connections` with which the App starts as it is configured.
fn connections(case: &Case<'_>, host: &Host, trial: &Trial) -> Option<usize> {
    let database = case.workload.database.as_ref()?;
    let pool = trial.pool.as_ref()?.size;
    Some(trial.configuration.deployment(host).least_max_connections(pool, database.reserved))
}

/// Goes on from a configuration that was found by a coarser search, or with another seed.
pub(super) fn again(
    case: &Case<'_>,
    host: &Host,
    functions: &Functions,
    found: &Found,
) -> Result<Found, Infeasible> {
    let mut set = found.trial.configuration.clone();
    let limit = functions.parameters.max_environments.value as usize;
    for _ in 0..5 {
        let trial = case.run(host, &set)?;
        let fault = case.fault(host, &trial);
        let wider = (set.most + set.most.div_ceil(4)).min(limit);
        let next = Configuration { most: wider, ..set.clone() };
        let fits = case
            .workload
            .database
            .as_ref()
            .is_none_or(|database| next.deployment(host).pool(database).is_ok());
        let helps = matches!(fault, Some(Fault::Refused { .. } | Fault::Headroom { .. }));
        if !helps || !fits || wider == set.most {
            let least_max_connections = connections(case, host, &trial);
            return Ok(Found { trial, fault, least_max_connections });
        }
        set = next;
    }
    let trial = case.run(host, &set)?;
    let fault = case.fault(host, &trial);
    let least_max_connections = connections(case, host, &trial);
    Ok(Found { trial, fault, least_max_connections })
}

/// Reserved concurrency so that no more than the allowed share of it is used.
fn with_headroom(case: &Case<'_>, least: usize) -> usize {
    (least as f64 / case.goals.utilisation).ceil() as usize
}

/// The smallest concurrency that reaches the goals, by bisection: fewer environments turn more away.
fn least_concurrency(
    case: &Case<'_>,
    host: &Host,
    set: &impl Fn(usize) -> Configuration,
    widest: &Trial,
) -> Result<usize, Infeasible> {
    let reaches = |most: usize| -> Result<bool, Infeasible> {
        let trial = case.run_with_room(host, &set(most))?;
        Ok(case.fault(host, &trial).is_none())
    };
    let mut high = (widest.outcome.peak_instances as usize).clamp(1, widest.configuration.most);
    // Ten requests a second for each may need more than were ever busy.
    while high < widest.configuration.most && !reaches(high)? {
        high = (high + high.div_ceil(3)).min(widest.configuration.most);
    }
    let mut low = 0;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if reaches(middle)? { high = middle } else { low = middle }
    }
    Ok(high)
}
