//! What a collector receives of a process: a program with the feature, and a receiver of OTLP over HTTP.

mod collector;
mod logs;
mod metrics;
mod subject;
mod traces;
mod trouble;

use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than a test takes: only the end of the process sends what is there.
const NEVER: &str = "600000";
