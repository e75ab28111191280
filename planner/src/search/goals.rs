//! What a configuration must reach.

use serde::Serialize;

/// What a configuration must reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Goals {
    /// The largest 99th percentile of latency, in seconds.
    pub p99: f64,
    /// The largest share of requests that may be turned away.
    pub refused: f64,
    /// The largest share of requests that may wait for a process to start.
    pub cold: f64,
    /// The largest share of processors and connections in use during the busiest minute.
    pub utilisation: f64,
    /// Processes that may fail at once, if a host can run more than one.
    pub spare: usize,
    /// Whether a host that runs a single process is refused.
    pub redundant: bool,
}

impl Goals {
    /// The goals of an App whose service time has this 99th percentile, in seconds: answers within a second, or three
    /// times that percentile if it is longer; one request of a thousand turned away; any number of starts; 70 % in use; one
    /// process to spare.
    #[must_use]
    pub fn for_service(p99: f64) -> Self {
        Self {
            p99: (3.0 * p99).max(1.0),
            refused: 0.001,
            cold: 1.0,
            utilisation: 0.7,
            spare: 1,
            redundant: false,
        }
    }
}

impl Default for Goals {
    fn default() -> Self {
        Self::for_service(0.0)
    }
}
