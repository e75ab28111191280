//! The search for functions: the fewest provisioned environments and the smallest reserved concurrency that reach the
//! goals, and whether the database has as many connections.

use super::Choice;
use super::case::Case;
use super::fault::Fault;
use super::trial::Trial;
use crate::hosts::{Functions, Host, Per, Size};
use crate::simulation::{Cause, Configuration, Infeasible};

pub(super) fn search(
    case: &Case<'_>,
    host: &Host,
    functions: &Functions,
    size: Size,
) -> Result<Choice, Infeasible> {
    let limit = functions.parameters.max_environments.value as usize;
    let limit = case.options.max_instances.unwrap_or(limit).clamp(1, limit);
    let set = |most| Configuration::new(size.clone(), 0, most);
    let mut widest = case.run_with_room(host, &set(limit))?;
    if let Some(fault) = case.fault(host, &widest) {
        match provisioned(case, host, &widest, &fault)? {
            Some(trial) => widest = trial,
            None => {
                return Ok(Choice {
                    trial: widest,
                    fault: Some(fault),
                    least_max_connections: None,
                });
            }
        }
    }
    let least = widest.configuration.least;
    let set = |most: usize| Configuration { least: least.min(most), ..set(most) };
    let least = least_concurrency(case, host, &set, &widest)?;
    let Some(database) = &case.workload.database else {
        let most = with_headroom(case, least).min(limit);
        let trial = case.run(host, &set(most))?;
        return Ok(Choice { trial, fault: None, least_max_connections: None });
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
        return Ok(Choice { trial, fault: Some(fault), least_max_connections: Some(needed) });
    }
    let trial = case.run(host, &set(fits))?;
    let fault = case.fault(host, &trial);
    let least_max_connections = connections(case, host, &trial);
    Ok(Choice { trial, fault, least_max_connections })
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
    found: &Choice,
) -> Result<Choice, Infeasible> {
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
        if let Some(fault) = &fault
            && let Some(warmer) = provisioned(case, host, &trial, fault)?
        {
            set = warmer.configuration;
            continue;
        }
        let helps = matches!(fault, Some(Fault::Refused { .. } | Fault::Headroom { .. }));
        if helps && !fits {
            // The database is what is short: says how many connections would do.
            return search(case, host, functions, set.size);
        }
        if !helps || wider == set.most {
            let least_max_connections = connections(case, host, &trial);
            return Ok(Choice { trial, fault, least_max_connections });
        }
        set = next;
    }
    let trial = case.run(host, &set)?;
    let fault = case.fault(host, &trial);
    let least_max_connections = connections(case, host, &trial);
    Ok(Choice { trial, fault, least_max_connections })
}

/// The fewest provisioned environments with which a trial that misses the goals for its cold starts reaches them; `None`
/// if that is not what it misses.
fn provisioned(
    case: &Case<'_>,
    host: &Host,
    trial: &Trial,
    fault: &Fault,
) -> Result<Option<Trial>, Infeasible> {
    let sold = host.bill.iter().any(|item| item.per == Per::ProvisionedGbSecond);
    let outcome = &trial.outcome;
    let helps = match fault {
        // Fewer cold starts than that leave the 99th percentile as it is.
        Fault::Slow { .. } => outcome.cold_starts * 200 > outcome.requests,
        Fault::Refused { cause, .. } => *cause == Cause::Burst,
        Fault::Cold { .. } => true,
        Fault::Headroom { .. } | Fault::Connections { .. } | Fault::Single => false,
    };
    if !sold || !helps {
        return Ok(None);
    }
    let reaches = |least: usize| -> Result<Option<Trial>, Infeasible> {
        let set = Configuration { least, ..trial.configuration.clone() };
        let trial = case.run_with_room(host, &set)?;
        Ok(case.fault(host, &trial).is_none().then_some(trial))
    };
    // As many as were ever there at once: then none starts for a request.
    let (mut low, mut high) = (trial.configuration.least, outcome.peak_instances as usize);
    if high <= low {
        return Ok(None);
    }
    let Some(mut found) = reaches(high)? else { return Ok(None) };
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match reaches(middle)? {
            Some(trial) => (high, found) = (middle, trial),
            None => low = middle,
        }
    }
    Ok(Some(found))
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
