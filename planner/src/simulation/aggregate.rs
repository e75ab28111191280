//! Stretches of time instead of requests: counts and waits by queueing theory, latencies by samples.
//!
//! Approximate are: waits of queries whose times are not exponential (Allen and Cunneen's factor), the first seconds after
//! a change of load (each stretch is taken as settled), and the spread over instances (each gets the same share). Instances, starts, costs and connections follow the same rules as in
//! the exact mode, and a test holds the two modes together.

mod fleet;
mod functions;
mod process;
mod server;
mod settled;
mod stretches;
mod waits;

pub(crate) use fleet::fleet;
pub(crate) use functions::functions;
