//! Cuts a traffic into stretches of time.

use crate::simulation::Nanos;
use crate::traffic::Traffic;

/// Latency samples of one stretch.
const SAMPLES: u64 = 16;

/// A stretch of time with one rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) at: Nanos,
    /// In seconds.
    pub(crate) length: f64,
    /// Requests that come in it.
    pub(crate) requests: u64,
    /// Requests per second.
    pub(crate) rate: f64,
}

/// The stretches of a traffic: whole parts of its intervals, about as long as wished, `most` of them at most. If there
/// are more intervals than that, some are taken together.
pub(crate) fn stretches(
    traffic: &Traffic,
    wished: f64,
    most: u64,
) -> impl Iterator<Item = Stretch> {
    let interval = traffic.interval().as_secs_f64();
    let length = wished.min(interval).max(traffic.span() / most.max(1) as f64);
    let together = (length / interval).floor().max(1.0) as usize;
    let parts = (interval / length).round().max(1.0) as u64;
    let width = interval * together as f64 / parts as f64;
    traffic.counts().chunks(together).enumerate().flat_map(move |(index, counts)| {
        let count = counts.iter().sum::<u64>();
        let begin = index as f64 * interval * together as f64;
        // The last ones may be fewer.
        let width = width * counts.len() as f64 / together as f64;
        (0..parts).map(move |part| Stretch {
            at: Nanos::from_seconds(begin + part as f64 * width),
            length: width,
            // Whole requests that add up to the count, spread evenly.
            requests: share(count, part + 1, parts) - share(count, part, parts),
            rate: count as f64 / (interval * counts.len() as f64),
        })
    })
}

fn share(count: u64, part: u64, parts: u64) -> u64 {
    (u128::from(count) * u128::from(part) / u128::from(parts)) as u64
}

/// Shares out requests over a few samples: as many times, and for how many requests each.
pub(crate) fn samples(requests: u64) -> impl Iterator<Item = u64> {
    let many = requests.min(SAMPLES);
    (0..many).map(move |index| requests / many + u64::from(index < requests % many))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_request_is_lost_between_stretches_and_samples() {
        let traffic = Traffic::new("t", Duration::from_secs(60), vec![7, 0, 1_000_003]);
        for most in [u64::MAX, 2, 1] {
            let all = stretches(&traffic, 7.0, most).collect::<Vec<_>>();
            assert_eq!(all.iter().map(|stretch| stretch.requests).sum::<u64>(), traffic.requests());
            let length: f64 = all.iter().map(|stretch| stretch.length).sum();
            assert!((length - 180.0).abs() < 1e-6);
        }
        for requests in [0, 1, 15, 16, 17, 1_000_003] {
            assert_eq!(samples(requests).sum::<u64>(), requests);
        }
    }
}
