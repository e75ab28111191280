//! What a server counts of its requests, if anybody reads the counts.

mod page;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(crate) use page::{Moment, page};

/// The upper bounds of the ranges in which the durations of requests are counted: those that OpenTelemetry's
/// conventions for HTTP servers advise.
pub(crate) const BOUNDS: [Duration; 14] = [
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(75),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(750),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_millis(7500),
    Duration::from_secs(10),
];

/// The methods that are told apart; any other is the last.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "_OTHER"];

/// The classes of a status. A request without one was given up by its client, or dropped at the end.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// A method, by its place in the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountedMethod(u8);

impl CountedMethod {
    pub(crate) fn of(name: &str) -> Self {
        let last = METHODS.len() - 1;
        let place = METHODS[..last].iter().position(|method| *method == name);
        // There are eight.
        Self(place.unwrap_or(last) as u8)
    }
}

/// The counts of one server.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    requests: [[AtomicU64; CLASSES.len()]; METHODS.len()],
    durations: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
    shed: AtomicU64,
    connections: AtomicU64,
}

impl Counts {
    /// A request has its status, or ends without one.
    pub(crate) fn answered(&self, method: CountedMethod, status: Option<u16>) {
        let class = status.map_or(0, |status| usize::from(status / 100).min(CLASSES.len() - 1));
        if let Some(count) = self.requests.get(usize::from(method.0)) {
            add(&count[class], 1);
        }
    }

    /// The App has answered a request after this time.
    pub(crate) fn took(&self, time: Duration) {
        let range = BOUNDS.iter().position(|bound| time <= *bound).unwrap_or(BOUNDS.len());
        add(&self.durations[range], 1);
        add(&self.nanoseconds, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// A request was turned away because there were too many.
    pub(crate) fn shed(&self) {
        add(&self.shed, 1);
    }

    /// A connection was opened.
    pub(crate) fn connected(&self) {
        add(&self.connections, 1);
    }

    /// Returns how many requests the App has answered, and how long that took them together.
    pub(crate) fn total(&self) -> (u64, Duration) {
        let nanoseconds = Duration::from_nanos(read(&self.nanoseconds));
        (self.durations.iter().map(read).sum(), nanoseconds)
    }
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_method_status_and_time() {
        let counts = Counts::default();
        for _ in 0..2 {
            counts.answered(CountedMethod::of("GET"), Some(200));
            counts.answered(CountedMethod::of("BREW"), Some(503));
            counts.answered(CountedMethod::of("POST"), None);
            counts.took(Duration::from_millis(7));
            counts.took(Duration::from_secs(60));
            counts.shed();
        }
        let requests = [(0, 2), (7, 5), (2, 0)]
            .map(|(method, class): (usize, usize)| read(&counts.requests[method][class]));
        assert_eq!(requests, [2, 2, 2]);
        assert_eq!([1, BOUNDS.len()].map(|range| read(&counts.durations[range])), [2, 2]);
        assert_eq!(counts.total(), (4, Duration::from_millis(120_014)));
        assert_eq!(read(&counts.shed), 2);
    }
}
