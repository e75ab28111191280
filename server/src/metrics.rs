//! What a server counts of its requests, if anybody reads the counts.

mod page;
mod process;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

pub(crate) use page::{Moment, page};
pub(crate) use process::note_start;

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

/// The most routes that are told apart; requests of all others are counted together.
const MAX_ROUTES: usize = 100;

/// The name of the route that stands for those beyond [`MAX_ROUTES`].
const OTHER_ROUTES: &str = "other";

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

/// One cell for each method and class of status.
type ByMethodAndClass<T> = [[T; CLASSES.len()]; METHODS.len()];

fn class_of(status: Option<u16>) -> usize {
    status.map_or(0, |status| usize::from(status / 100).min(CLASSES.len() - 1))
}

/// The counts of one server.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    requests: ByMethodAndClass<AtomicU64>,
    routes: Routes,
    answered: AtomicU64,
    nanoseconds: AtomicU64,
    shed: AtomicU64,
    connections: AtomicU64,
}

impl Counts {
    /// Counts a request that has its status, or ends without one.
    pub(crate) fn ended(&self, method: CountedMethod, status: Option<u16>) {
        add(&self.requests[usize::from(method.0)][class_of(status)], 1);
    }

    /// Counts a request that the App answered after this time. The route is the pattern that the App's router
    /// matched, if it said one.
    pub(crate) fn answered(
        &self,
        method: CountedMethod,
        status: u16,
        route: Option<&str>,
        time: Duration,
    ) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let counts = self.routes.of(route.unwrap_or_default());
        let cell = &counts[usize::from(method.0)][class_of(Some(status))];
        cell.get_or_init(Box::default).add(time, nanoseconds);
        add(&self.answered, 1);
        add(&self.nanoseconds, nanoseconds);
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
        (read(&self.answered), Duration::from_nanos(read(&self.nanoseconds)))
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// The durations of requests by their route. A route without a name is that of requests that no route matched.
#[derive(Debug, Default)]
struct Routes(RwLock<BTreeMap<Box<str>, Arc<RouteCounts>>>);

/// Most routes have one method and two classes: a histogram exists once it is needed.
type RouteCounts = ByMethodAndClass<OnceLock<Box<Histogram>>>;

impl Routes {
    fn of(&self, route: &str) -> Arc<RouteCounts> {
        if let Some(counts) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(route) {
            return Arc::clone(counts);
        }
        let mut routes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_known = route.is_empty() || routes.contains_key(route);
        let name = if is_known || routes.len() < MAX_ROUTES { route } else { OTHER_ROUTES };
        Arc::clone(routes.entry(name.into()).or_default())
    }
}

/// Durations, counted by how long they were.
#[derive(Debug, Default)]
struct Histogram {
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    fn add(&self, time: Duration, nanoseconds: u64) {
        let range = BOUNDS.iter().position(|bound| time <= *bound).unwrap_or(BOUNDS.len());
        add(&self.counts[range], 1);
        add(&self.nanoseconds, nanoseconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_method_status_route_and_time() {
        let counts = Counts::default();
        let (get, brew) = (CountedMethod::of("GET"), CountedMethod::of("BREW"));
        for _ in 0..2 {
            counts.ended(get, Some(200));
            counts.ended(brew, Some(503));
            counts.ended(CountedMethod::of("POST"), None);
            counts.answered(get, 200, Some("/notes/{id}"), Duration::from_millis(7));
            counts.answered(get, 404, None, Duration::from_secs(60));
            counts.shed();
        }
        let requests = counts.requests.each_ref().map(|classes| classes.each_ref().map(read));
        assert_eq!((requests[0][2], requests[7][5], requests[2][0]), (2, 2, 2));
        let durations = |route: &str, class: usize| {
            let counts = counts.routes.of(route);
            counts[0][class].get().expect("it was counted").counts.each_ref().map(read)
        };
        assert_eq!(durations("/notes/{id}", 2)[1], 2);
        assert_eq!(durations("", 4)[BOUNDS.len()], 2);
        assert_eq!(counts.total(), (4, Duration::from_millis(120_014)));
        assert_eq!(read(&counts.shed), 2);
    }

    #[test]
    fn the_number_of_routes_is_bounded() {
        let counts = Counts::default();
        for number in 0..1000 {
            let route = format!("/{number}");
            counts.answered(CountedMethod::of("GET"), 200, Some(&route), Duration::ZERO);
        }
        counts.answered(CountedMethod::of("GET"), 404, None, Duration::ZERO);
        let routes = counts.routes.0.read().expect("no panic").len();
        assert!(routes <= MAX_ROUTES + 2, "{routes} routes");
        let others = counts.routes.of(OTHER_ROUTES);
        assert_eq!(others[0][2].get().map(|histogram| read(&histogram.counts[0])), Some(900));
        assert_eq!(counts.total().0, 1001);
    }
}
