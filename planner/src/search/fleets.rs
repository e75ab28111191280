//! The search for fleets: instances and pool size, raised by what each run ran into.
//! Long because each step of the climb is a few lines on the same configuration.

use super::Choice;
use super::case::Case;
use super::fault::{Fault, Resource};
use super::limit::limited;
use super::trial::{Trial, running_at_peak};
use crate::hosts::{Fleet, Host, Scaling, Size};
use crate::simulation::{Cause, Configuration, Infeasible, needed};

/// The most steps upwards for one size.
const STEPS: usize = 14;

/// What is left to carry the load when a process has failed may be used up to here.
const WITHOUT_SPARE: f64 = 0.9;

pub(super) fn search(
    case: &Case<'_>,
    host: &Host,
    fleet: &Fleet,
    size: Size,
) -> Result<Choice, Infeasible> {
    let bounds = Bounds::new(case, fleet, &size);
    let set = bounds.begin(case, host, size);
    climb(case, host, fleet, &bounds, set)
}

/// Goes on from a configuration that was found by a coarser search, or with another seed.
pub(super) fn again(
    case: &Case<'_>,
    host: &Host,
    fleet: &Fleet,
    set: Configuration,
) -> Result<Choice, Infeasible> {
    let bounds = Bounds::new(case, fleet, &set.size);
    climb(case, host, fleet, &bounds, set)
}

fn climb(
    case: &Case<'_>,
    host: &Host,
    fleet: &Fleet,
    bounds: &Bounds,
    mut set: Configuration,
) -> Result<Choice, Infeasible> {
    let mut below = None;
    for _ in 0..STEPS {
        let fit = fit_database(case, host, bounds, &mut set);
        let trial = match fit {
            Ok(()) => case.run(host, &set)?,
            Err(_) => case.run_with_room(host, &set)?,
        };
        let Some(fault) = case.fault(host, &trial) else {
            return reached(case, host, fleet, trial, fit.err(), below.as_ref());
        };
        match raise(case, host, bounds, &trial, &fault) {
            Some(next) => below = Some(std::mem::replace(&mut set, next)),
            None => return Ok(missed(case, host, trial, fault)),
        }
    }
    let trial = case.run_with_room(host, &set)?;
    match case.fault(host, &trial) {
        Some(fault) => Ok(missed(case, host, trial, fault)),
        None => reached(case, host, fleet, trial, None, None),
    }
}

/// A configuration that reaches the goals, if the database has the connections.
fn reached(
    case: &Case<'_>,
    host: &Host,
    fleet: &Fleet,
    trial: Trial,
    unfit: Option<usize>,
    below: Option<&Configuration>,
) -> Result<Choice, Infeasible> {
    let trial = match below {
        Some(below) if unfit.is_none() => fewer(case, host, trial, below)?,
        _ => trial,
    };
    let trial = if unfit.is_none() { limited(case, host, trial)? } else { trial };
    let needed = connections(case, host, &trial);
    let fault = if fleet.parameters.max_instances.value < 2.0 && case.goals.redundant {
        Some(Fault::Single)
    } else {
        unfit.map(|given| Fault::Connections {
            needed: needed.unwrap_or(0),
            given,
            month: trial.bill.month,
        })
    };
    Ok(Choice { trial, fault, least_max_connections: needed })
}

fn missed(case: &Case<'_>, host: &Host, trial: Trial, fault: Fault) -> Choice {
    let least_max_connections = connections(case, host, &trial);
    Choice { trial, fault: Some(fault), least_max_connections }
}

/// Between which numbers of instances the search goes.
struct Bounds {
    /// The host's least.
    least: usize,
    /// The host's most.
    most: usize,
    /// What the busiest minute needs at the allowed utilisation, with what may fail.
    peak: usize,
    /// What is always there if the host scales.
    floor: usize,
    fixed: bool,
}

impl Bounds {
    fn new(case: &Case<'_>, fleet: &Fleet, size: &Size) -> Self {
        let parameters = &fleet.parameters;
        let least = parameters.min_instances.value as usize;
        let most = parameters.max_instances.value as usize;
        let most = case.options.max_instances.unwrap_or(most).clamp(1, most.max(1));
        let goals = &case.goals;
        let service = case.workload.service.mean();
        let cores = case.peak() * service * case.workload.processor_share / size.cores;
        let places = parameters.concurrency_per_core.as_ref();
        let places =
            places.map_or(0.0, |places| case.peak() * service / (places.value * size.cores));
        let load = cores.max(places);
        let mean = case.traffic.requests() as f64 / case.traffic.span();
        let credits = size.burst.map_or(0.0, |burst| {
            mean * service * case.workload.processor_share / burst.cores / goals.utilisation
        });
        let spare = if most > 1 { goals.spare } else { 0 };
        let whole = |load: f64| load.ceil() as usize;
        let peak = whole(load / goals.utilisation)
            .max(whole(load / WITHOUT_SPARE) + spare)
            .max(whole(credits))
            .max(1);
        let fixed = matches!(fleet.scaling, Scaling::Fixed { .. });
        // A host that starts an instance within a second for a request needs none to spare.
        let floor = match fleet.scaling {
            Scaling::Requests { .. } | Scaling::Autostop { .. } => least,
            _ => least.max(1 + spare).max(whole(credits)),
        };
        Self { least, most, peak: peak.max(least).min(most), floor: floor.min(most), fixed }
    }

    fn begin(&self, case: &Case<'_>, host: &Host, size: Size) -> Configuration {
        let guess = needed_at_most(case, host, &size);
        let (least, most) = if self.fixed {
            (self.peak, self.peak)
        } else {
            let most = guess.max(self.peak).max(self.floor + 1).min(self.most);
            (self.floor.max(self.least).min(most), most)
        };
        let mut set = Configuration::new(size, least, most);
        set.pool_size = wished_pool(case, host, &set);
        set
    }
}

/// Instances that a scaler may need: half as many again as the busiest minute asks for.
fn needed_at_most(case: &Case<'_>, host: &Host, size: &Size) -> usize {
    let crate::hosts::Model::Fleet(fleet) = &host.model else { return 1 };
    let peak = needed(fleet, size, case.workload, case.peak());
    peak + peak.div_ceil(2)
}

/// The pool size that the busiest minute needs at the allowed utilisation, if core's own formula gives less.
fn wished_pool(case: &Case<'_>, host: &Host, set: &Configuration) -> Option<usize> {
    let database = case.workload.database.as_ref()?;
    let alone = Configuration { most: 1, least: 1, pool_size: None, ..set.clone() };
    let own = alone.deployment(host).pool(database).map_or(1, |pool| pool.size);
    let wished = least_pool(case, host, set);
    (wished > own).then_some(wished)
}

/// The smallest pool of one process that the busiest minute uses no more than is allowed.
fn least_pool(case: &Case<'_>, host: &Host, set: &Configuration) -> usize {
    let query = case.workload.service.mean() * case.workload.database_share;
    let busy = case.peak() * query / running_at_peak(case, host, set).max(1) as f64;
    ((busy / case.goals.utilisation).ceil() as usize).max(1)
}

/// Makes a configuration fit the database: fewer instances than wished first, then smaller pools, as long as the busiest
/// minute has enough of both.
///
/// # Errors
/// The database's connections, if it does not fit.
fn fit_database(
    case: &Case<'_>,
    host: &Host,
    bounds: &Bounds,
    set: &mut Configuration,
) -> Result<(), usize> {
    let Some(database) = &case.workload.database else { return Ok(()) };
    let enough = |set: &Configuration| {
        let pool = set.deployment(host).pool(database);
        pool.is_ok_and(|pool| {
            pool.size >= least_pool(case, host, set).min(pool_wish(set, pool.size))
        })
    };
    if enough(set) {
        return Ok(());
    }
    if !bounds.fixed {
        let fewer = Configuration { most: bounds.peak.max(set.least), ..set.clone() };
        if enough(&fewer) {
            *set = fewer;
            return Ok(());
        }
    }
    let smaller = Configuration { pool_size: Some(least_pool(case, host, set)), ..set.clone() };
    if smaller.pool_size < set.pool_size && enough(&smaller) {
        *set = smaller;
        return Ok(());
    }
    Err(database.limit())
}

/// What was set, or else whatever core gives.
fn pool_wish(set: &Configuration, core: usize) -> usize {
    set.pool_size.unwrap_or(core.max(1) + 1)
}

/// The next configuration to try after one that misses a goal; `None` if more of nothing helps.
fn raise(
    case: &Case<'_>,
    host: &Host,
    bounds: &Bounds,
    trial: &Trial,
    fault: &Fault,
) -> Option<Configuration> {
    let set = &trial.configuration;
    let cause = match fault {
        Fault::Refused { cause, .. } => *cause,
        Fault::Slow { .. } => slow_because(trial)?,
        Fault::Cold { .. } => Cause::Scaler,
        Fault::Headroom { resource: Resource::Pool, .. } => Cause::Pool,
        // Credit is earned by machines that run all the time.
        Fault::Headroom { resource: Resource::Credits, .. } if !bounds.fixed => Cause::Scaler,
        Fault::Headroom {
            resource: Resource::Processors | Resource::Places | Resource::Credits,
            ..
        } => Cause::Instances,
        Fault::Headroom { .. } | Fault::Connections { .. } | Fault::Single => return None,
    };
    let more = |many: usize| (many + many.div_ceil(3)).max(many + 1);
    match cause {
        Cause::Pool => {
            let now = trial.pool.as_ref()?.size;
            let wished = least_pool(case, host, set);
            let next = if wished > now { wished } else { more(now) };
            // A pool beyond every request that can be there is of no use.
            (next <= 4000).then(|| Configuration { pool_size: Some(next), ..set.clone() })
        }
        Cause::Instances if bounds.fixed => {
            let next = more(set.most).min(bounds.most);
            (next > set.most).then(|| Configuration { least: next, most: next, ..set.clone() })
        }
        Cause::Instances => {
            let most = more(set.most).min(bounds.most);
            if most > set.most {
                return Some(Configuration { most, ..set.clone() });
            }
            more_least(bounds, set)
        }
        Cause::Scaler => more_least(bounds, set),
        // Without the limit the run shows what is really short.
        Cause::InFlight => Some(Configuration { max_in_flight: None, ..set.clone() }),
        _ => None,
    }
}

fn more_least(bounds: &Bounds, set: &Configuration) -> Option<Configuration> {
    // Beyond what the busiest minute needs, waiting for the scaler is not what is wrong.
    let enough = (bounds.peak + bounds.peak.div_ceil(2)).min(bounds.most);
    if set.least >= enough || bounds.fixed {
        return None;
    }
    let least = (set.least * 2).max(set.least + 1).min(enough);
    Some(Configuration { least, most: set.most.max(least), ..set.clone() })
}

/// What makes a run slow: what is used most.
fn slow_because(trial: &Trial) -> Option<Cause> {
    let of = |resource| {
        let used = trial.headroom.iter().find(|used| used.resource == resource);
        used.map_or(0.0, |used| used.utilisation)
    };
    let (pool, processors) = (of(Resource::Pool), of(Resource::Processors));
    if pool > processors && pool > 0.3 {
        return Some(Cause::Pool);
    }
    if trial.configuration.least < trial.configuration.most {
        return Some(Cause::Scaler);
    }
    (processors > 0.3).then_some(Cause::Instances)
}

/// A step up may have been too large: the smallest number of instances between the last that failed and the first that
/// did not.
fn fewer(
    case: &Case<'_>,
    host: &Host,
    mut fits: Trial,
    below: &Configuration,
) -> Result<Trial, Infeasible> {
    let mut low = below.clone();
    for _ in 0..5 {
        let high = &fits.configuration;
        let middle = |low: usize, high: usize| low + (high - low.min(high)).div_ceil(2);
        let pool_size = match (low.pool_size, high.pool_size) {
            (Some(low), Some(high)) if high > low + 1 => Some(middle(low, high).min(high - 1)),
            (_, high) => high,
        };
        let least = if high.least > low.least + 1 {
            middle(low.least, high.least).min(high.least - 1)
        } else {
            high.least
        };
        let most = if high.least == high.most { least } else { high.most };
        let next = Configuration { pool_size, least, most, ..high.clone() };
        if next == fits.configuration {
            break;
        }
        let trial = case.run(host, &next)?;
        if case.fault(host, &trial).is_none() {
            fits = trial;
        } else {
            low = next;
        }
    }
    Ok(fits)
}

/// The least `max_connections` for what a trial runs with.
fn connections(case: &Case<'_>, host: &Host, trial: &Trial) -> Option<usize> {
    let database = case.workload.database.as_ref()?;
    let set = &trial.configuration;
    let pool = least_pool(case, host, set).min(trial.pool.as_ref()?.size);
    let pool = set.pool_size.unwrap_or(pool);
    Some(set.deployment(host).least_max_connections(pool, database.reserved))
}
