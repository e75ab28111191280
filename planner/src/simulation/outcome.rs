//! What a simulation found.

use serde::Serialize;

use super::{Cause, Refusals};

/// How a result was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every request is an event.
    Exact,
    /// Intervals by queueing theory, latencies by samples.
    Aggregate,
}

/// What a simulation of one host found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// How it was computed.
    pub mode: Mode,
    /// Requests that came.
    pub requests: u64,
    /// Requests that got an answer of the App.
    pub served: u64,
    /// Requests that were turned away: throttled, too long in a queue, without a connection in time, beyond a time limit.
    pub refused: u64,
    /// The same by cause.
    pub refusals: Refusals,
    /// Requests that waited for a process to start.
    pub cold_starts: u64,
    /// Processes that were started.
    pub starts: u64,
    /// Latencies of served requests.
    pub latency: Latency,
    /// The mean time a served request waited for a processor or a connection, in seconds.
    pub mean_wait: f64,
    /// Processes at once, on average.
    pub mean_instances: f64,
    /// Processes at once, at most.
    pub peak_instances: u64,
    /// Open database connections, at most.
    pub peak_connections: u64,
    /// What is paid for.
    pub usage: Usage,
    /// The course of it, in a few hundred points.
    #[serde(skip)]
    pub course: Vec<Point>,
}

impl Outcome {
    /// The share of requests that were turned away.
    #[must_use]
    pub fn refused_share(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.refused as f64 / self.requests as f64 }
    }

    /// What most of the requests that were turned away ran into.
    #[must_use]
    pub fn main_cause(&self) -> Option<Cause> {
        self.refusals.main()
    }
}

/// Latencies in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// The mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    pub p999: f64,
    /// The largest.
    pub max: f64,
}

/// What is paid for, over the whole of the simulated time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Simulated time, in seconds.
    pub seconds: f64,
    /// Requests that were answered.
    pub requests: f64,
    /// Billed seconds of functions in environments that requests have started.
    pub function_seconds: f64,
    /// The same in provisioned environments.
    pub provisioned_function_seconds: f64,
    /// Seconds of provisioned environments, or of the instances that always run, whether used or not.
    pub provisioned_seconds: f64,
    /// Seconds of instances, whether used or not.
    pub instance_seconds: f64,
    /// Seconds in which an instance had a request.
    pub active_seconds: f64,
    /// Seconds of nodes under the instances.
    pub node_seconds: f64,
    /// Seconds of processor that requests really used.
    pub processor_seconds: f64,
    /// Processors of one instance.
    pub cores: f64,
    /// Memory of one instance or environment, in GB.
    pub memory_gb: f64,
}

/// A stretch of the course.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// Its start, in seconds.
    pub at: f64,
    /// Requests per second.
    pub rate: f64,
    /// Processes, at most.
    pub instances: u64,
    /// Open connections, at most.
    pub connections: u64,
    /// The median latency, in seconds; 0 without a request.
    pub p50: f64,
    /// The 99th percentile, in seconds; 0 without a request.
    pub p99: f64,
    /// Requests turned away.
    pub refused: u64,
    /// Requests that waited for a start.
    pub cold_starts: u64,
}
