//! What a host counts of its requests, if the counts are read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use crate::databases::{Metric, Reading};
use crate::histogram::Histogram;

/// The upper bounds of the ranges in which the durations of requests are counted: those that OpenTelemetry's
/// conventions for HTTP servers advise.
const BOUNDS: [Duration; 14] = [
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

/// The method of a request as [`RequestCounts`] tell methods apart.
#[derive(Clone, Copy, Debug)]
pub struct CountedMethod(u8);

impl CountedMethod {
    /// Returns the method of this name; unknown ones are counted together.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let last = METHODS.len() - 1;
        let place = METHODS[..last].iter().position(|method| *method == name);
        // There are eight.
        Self(place.unwrap_or(last) as u8)
    }
}

/// One cell for each method and class of status.
type ByMethodAndClass<T> = [[T; CLASSES.len()]; METHODS.len()];

const METHOD: &str = "http.request.method";
const CLASS: &str = "http.response.status_class";

fn class_of(status: Option<u16>) -> usize {
    status.map_or(0, |status| usize::from(status / 100).min(CLASSES.len() - 1))
}

/// The counts of the requests of one process.
#[derive(Debug, Default)]
pub struct RequestCounts {
    requests: ByMethodAndClass<AtomicU64>,
    routes: Routes,
    answered: AtomicU64,
    nanoseconds: AtomicU64,
}

impl RequestCounts {
    /// Counts a request that has its status, or ends without one.
    pub fn ended(&self, method: CountedMethod, status: Option<u16>) {
        add(&self.requests[usize::from(method.0)][class_of(status)], 1);
    }

    /// Counts a request that the App answered after this time. The route is the pattern that the App's router
    /// matched, if it said one.
    pub fn answered(
        &self,
        method: CountedMethod,
        status: u16,
        route: Option<&str>,
        time: Duration,
    ) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let counts = self.routes.counts_of(route.unwrap_or_default());
        let cell = &counts[usize::from(method.0)][class_of(Some(status))];
        cell.get_or_init(|| Box::new(Histogram::new(&BOUNDS))).add(time);
        add(&self.answered, 1);
        add(&self.nanoseconds, nanoseconds);
    }

    /// Returns how many requests the App has answered, and how long that took them together.
    pub fn total(&self) -> (u64, Duration) {
        (read(&self.answered), Duration::from_nanos(read(&self.nanoseconds)))
    }

    /// The counts under the names of OpenTelemetry's conventions. What never happened is left out.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        let mut metrics = Vec::new();
        for (method, classes) in METHODS.iter().zip(&self.requests) {
            for (class, count) in CLASSES.iter().zip(classes) {
                let count = read(count);
                if count > 0 {
                    let metric = Metric::new(
                        "http.server.requests",
                        "{request}",
                        "Requests that ended, by method and class of status; class none: the client went away first",
                        Reading::Count(count),
                    );
                    metrics.push(metric.with(METHOD, *method).with(CLASS, *class));
                }
            }
        }
        for (route, counts) in &*self.routes.0.read().unwrap_or_else(PoisonError::into_inner) {
            for (method, classes) in METHODS.iter().zip(&**counts) {
                for (class, histogram) in CLASSES.iter().zip(classes) {
                    let Some(histogram) = histogram.get() else { continue };
                    let metric = Metric::new(
                        "http.server.request.duration",
                        "s",
                        "Time from the head of a request to the head of its response",
                        Reading::Times(histogram.times()),
                    );
                    let metric = metric.with(METHOD, *method).with(CLASS, *class);
                    metrics.push(match &**route {
                        // Without a route there is no label: to Prometheus that is the same as an empty one.
                        "" => metric,
                        route => metric.with("http.route", route),
                    });
                }
            }
        }
        metrics
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
    fn counts_of(&self, route: &str) -> Arc<RouteCounts> {
        if let Some(counts) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(route) {
            return Arc::clone(counts);
        }
        let mut routes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_known = route.is_empty() || routes.contains_key(route);
        let name = if is_known || routes.len() < MAX_ROUTES { route } else { OTHER_ROUTES };
        Arc::clone(routes.entry(name.into()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_method_status_route_and_time() {
        let counts = RequestCounts::default();
        let (get, brew) = (CountedMethod::from_name("GET"), CountedMethod::from_name("BREW"));
        for _ in 0..2 {
            counts.ended(get, Some(200));
            counts.ended(brew, Some(503));
            counts.ended(CountedMethod::from_name("POST"), None);
            counts.answered(get, 200, Some("/notes/{id}"), Duration::from_millis(7));
            counts.answered(get, 404, None, Duration::from_secs(60));
        }
        let metrics = counts.metrics();
        for labels in [["GET", "2xx"], ["_OTHER", "5xx"], ["POST", "none"]] {
            let labels = labels.map(str::to_owned);
            let found = metrics.iter().find(|metric| {
                metric.name == "http.server.requests"
                    && labels == [metric.attributes[0].1.clone(), metric.attributes[1].1.clone()]
            });
            assert_eq!(found.map(|metric| metric.reading), Some(Reading::Count(2)), "{labels:?}");
        }
        let durations = |route: Option<&str>| {
            let found = metrics.iter().find(|metric| {
                metric.name == "http.server.request.duration"
                    && metric.attributes.get(2).map(|(_, route)| &**route) == route
            });
            let found = found.unwrap_or_else(|| panic!("no route {route:?}"));
            let Reading::Times(times) = found.reading else { panic!("{found:?}") };
            let below: Vec<_> = times.cumulative().map(|(_, below)| below).collect();
            (&*found.attributes[1].1, below[1], below[BOUNDS.len() - 1], times.count())
        };
        assert_eq!(durations(Some("/notes/{id}")), ("2xx", 2, 2, 2));
        assert_eq!(durations(None), ("4xx", 0, 0, 2));
        assert_eq!(counts.total(), (4, Duration::from_millis(120_014)));
    }

    #[test]
    fn the_number_of_routes_is_bounded() {
        let counts = RequestCounts::default();
        for number in 0..1000 {
            let route = format!("/{number}");
            counts.answered(CountedMethod::from_name("GET"), 200, Some(&route), Duration::ZERO);
        }
        counts.answered(CountedMethod::from_name("GET"), 404, None, Duration::ZERO);
        let metrics = counts.metrics();
        assert!(metrics.len() <= MAX_ROUTES + 2, "{} routes", metrics.len());
        let other = ("http.route", OTHER_ROUTES.to_owned());
        let other = metrics.iter().find(|metric| metric.attributes.contains(&other));
        let Reading::Times(times) = other.expect("the others").reading else { panic!("times") };
        assert_eq!(times.count(), 900);
        assert_eq!(counts.total().0, 1001);
    }
}
