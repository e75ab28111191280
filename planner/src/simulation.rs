//! A deployment under a traffic, in virtual time: event by event, or in aggregate if there are too many.

mod aggregate;
mod cause;
mod deploys;
mod events;
mod exact;
mod nodes;
mod occupancy;
mod outcome;
mod parts;
mod progress;
mod quota;
mod recorder;
mod scaler;
mod setup;
mod station;
mod time;

pub use cause::{Cause, Refusals};
pub use outcome::{Latency, Mode, Outcome, Point, Usage};
pub use progress::Progress;
pub(crate) use setup::needed;
pub use setup::{Configuration, Infeasible, Options, Setup, sizes};
pub use time::Nanos;

use crate::hosts::Model;

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
