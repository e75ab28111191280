//! The figures that tell one traffic from another.

use serde::Serialize;

use super::Traffic;

/// The figures of a traffic that a choice of paradigm hangs on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// All requests.
    pub requests: u64,
    /// The length, in seconds.
    pub seconds: f64,
    /// Requests per second, on average.
    pub mean: f64,
    /// Requests per second of the busiest interval.
    pub peak: f64,
    /// Peak over mean.
    pub peak_to_mean: f64,
    /// The share of the time without a request, by whole intervals.
    pub idle: f64,
    /// The steepest rise within a minute, in requests per second: what a host must follow.
    pub steepest: f64,
}

impl From<&Traffic> for Statistics {
    fn from(traffic: &Traffic) -> Self {
        let interval = traffic.interval().as_secs_f64();
        let counts = traffic.counts();
        let (requests, seconds) = (traffic.requests(), traffic.span());
        let (mean, peak) = (requests as f64 / seconds, traffic.peak());
        let empty = counts.iter().filter(|count| **count == 0).count();
        // At least one interval back, and up to a minute.
        let back = ((60.0 / interval) as usize).clamp(1, counts.len());
        let steepest = counts
            .iter()
            .skip(back)
            .zip(counts)
            .map(|(after, before)| (*after as f64 - *before as f64) / interval)
            .fold(0.0, f64::max);
        Self {
            requests,
            seconds,
            mean,
            peak,
            peak_to_mean: if mean > 0.0 { peak / mean } else { 0.0 },
            idle: empty as f64 / counts.len() as f64,
            steepest,
        }
    }
}
