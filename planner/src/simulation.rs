//! A deployment under a traffic, in virtual time: event by event, or in aggregate where there are too many.

mod aggregate;
mod exact;
mod nodes;
mod outcome;
mod progress;
mod recorder;
mod run;
mod scaler;
mod time;

pub use outcome::{Latency, Mode, Outcome, Point, Usage};
pub use progress::Progress;
pub use run::{Infeasible, Options, Setup, simulate};
pub use time::Nanos;
