//! Finds, for each host, the cheapest configuration that reaches the goals.

mod case;
mod fault;
mod fleets;
mod functions;
mod goals;
mod limit;
mod settings;
mod trial;

pub use case::Case;
pub use fault::{Fault, Resource};
pub use goals::Goals;
pub use settings::settings;
pub use trial::{Headroom, Trial};

use crate::hosts::{Host, Model, Size};
use crate::simulation::{Infeasible, sizes};

/// The configuration that was chosen for one host.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The cheapest configuration that reaches the goals, or the one that came closest.
    pub trial: Trial,
    /// What it misses; `None` if it reaches the goals.
    pub fault: Option<Fault>,
    /// The least `max_connections` of the database with which the goals are reached; `None` without a database, and if
    /// connections are not what is missing.
    pub least_max_connections: Option<usize>,
}

impl Choice {
    /// Whether it reaches the goals.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.fault.is_none()
    }
}

/// Searches sizes, instances and pool sizes of a host. `below` is a cost at which the search may stop: a configuration
/// that costs more is of no use to the caller.
///
/// # Errors
/// [`Infeasible`] if the App cannot run there at all.
pub fn search(case: &Case<'_>, host: &Host, below: f64) -> Result<Choice, Infeasible> {
    if let Some(unpriced) = &host.unpriced {
        return Err(Infeasible(unpriced.clone()));
    }
    let mut best: Option<Choice> = None;
    for size in sizes(host, case.workload)? {
        let bound = best.as_ref().filter(|found| found.fits());
        let bound = bound.map_or(below, |found| found.trial.bill.month.min(below));
        if best.is_some() && case.floor(host, &size) >= bound {
            continue;
        }
        let found = one_size(case, host, size)?;
        let better = match &best {
            None => true,
            Some(known) => rank(&found) < rank(known),
        };
        if better {
            best = Some(found);
        }
    }
    best.ok_or_else(|| Infeasible("no size was tried".into()))
}

/// Checks what a coarser search found, or another seed, and goes on from there if it misses a goal.
///
/// # Errors
/// As [`search`].
pub fn settle(case: &Case<'_>, host: &Host, found: Choice) -> Result<Choice, Infeasible> {
    match &host.model {
        Model::Fleet(fleet) => fleets::again(case, host, fleet, found.trial.configuration),
        Model::Functions(functions) => functions::again(case, host, functions, &found),
    }
}

fn one_size(case: &Case<'_>, host: &Host, size: Size) -> Result<Choice, Infeasible> {
    match &host.model {
        Model::Fleet(fleet) => fleets::search(case, host, fleet, size),
        Model::Functions(functions) => functions::search(case, host, functions, size),
    }
}

/// Lower is better: first the goals, then the price; of those that miss the goals, how far they are from them.
fn rank(found: &Choice) -> (u8, f64) {
    match &found.fault {
        None => (0, found.trial.bill.month),
        Some(fault) => (1, fault.distance()),
    }
}
