//! The counts as Prometheus reads them,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::PoisonError;
use std::time::Duration;

use anyhost_core::adapter::{Metric, Reading};

use super::process::ProcessUsage;
use super::{BOUNDS, CLASSES, Counts, Histogram, METHODS, read};

/// What a server says of itself besides its counts.
pub(crate) struct Moment {
    /// Requests that are being answered, and work that outlasts its request.
    pub(crate) in_flight: usize,
    /// The most there may be.
    pub(crate) limit: Option<usize>,
    /// Connections that are open.
    pub(crate) connections: usize,
    /// Whether requests shall be sent here.
    pub(crate) ready: bool,
    /// The platform that the process runs on.
    pub(crate) platform: String,
}

/// The page of `/metrics`.
pub(crate) fn page(counts: &Counts, moment: &Moment, databases: &[Metric]) -> String {
    let mut page = Page(String::with_capacity(4096));
    // Writing to a string cannot fail.
    let _ = page.server(counts, moment);
    let _ = page.process(&ProcessUsage::now());
    let _ = page.databases(databases);
    page.0
}

struct Page(String);

impl Page {
    fn server(&mut self, counts: &Counts, moment: &Moment) -> fmt::Result {
        self.head(
            "http_server_requests_total",
            "counter",
            "Requests that ended, by method and class of status; class none: the client went away first",
        )?;
        for (method, classes) in METHODS.iter().zip(&counts.requests) {
            for (class, count) in CLASSES.iter().zip(classes.each_ref().map(read)) {
                // What never happened has no line: else there were dozens.
                if count > 0 {
                    writeln!(
                        self.0,
                        "http_server_requests_total{{http_request_method=\"{method}\",http_response_status_class=\"{class}\"}} {count}"
                    )?;
                }
            }
        }
        let name = "http_server_request_duration_seconds";
        self.head(
            name,
            "histogram",
            "Time from the head of a request to the head of its response",
        )?;
        for (route, counts) in &*counts.routes.0.read().unwrap_or_else(PoisonError::into_inner) {
            for (method, classes) in METHODS.iter().zip(&**counts) {
                for (class, histogram) in CLASSES.iter().zip(classes) {
                    if let Some(histogram) = histogram.get() {
                        self.durations(name, (route, method, class), histogram)?;
                    }
                }
            }
        }
        self.one(
            "http_server_requests_shed_total",
            "counter",
            "Requests refused with 503 because too many were being answered (MAX_IN_FLIGHT)",
            read(&counts.shed),
        )?;
        self.one(
            "http_server_active_requests",
            "gauge",
            "Requests being answered, and background work that outlasts its response",
            moment.in_flight as u64,
        )?;
        if let Some(limit) = moment.limit {
            self.one(
                "http_server_active_requests_limit",
                "gauge",
                "Most requests that are answered at once before more are refused",
                limit as u64,
            )?;
        }
        self.one(
            "http_server_connections_opened_total",
            "counter",
            "Connections that clients opened",
            read(&counts.connections),
        )?;
        self.one(
            "http_server_open_connections",
            "gauge",
            "Connections of clients that are open",
            moment.connections as u64,
        )?;
        self.one(
            "anyhost_ready",
            "gauge",
            "1 if this process is ready for requests, 0 if it starts, drains or misses its database",
            u64::from(moment.ready),
        )?;
        let name = "anyhost_build_info";
        self.head(name, "gauge", "Always 1; the labels say what runs and where")?;
        let version = env!("CARGO_PKG_VERSION");
        let labels = labels(&[("version", version.into()), ("platform", moment.platform.clone())]);
        writeln!(self.0, "{name}{{{labels}}} 1")
    }

    fn durations(
        &mut self,
        name: &str,
        (route, method, class): (&str, &str, &str),
        histogram: &Histogram,
    ) -> fmt::Result {
        let mut attributes = vec![
            ("http.request.method", method.to_owned()),
            ("http.response.status_class", class.to_owned()),
        ];
        // Without a route there is no label: to Prometheus that is the same as an empty one.
        if !route.is_empty() {
            attributes.push(("http.route", route.to_owned()));
        }
        let mut below = 0;
        let counts = histogram.counts.each_ref().map(read).map(|count| {
            below += count;
            below
        });
        let cumulative: Vec<_> = BOUNDS.into_iter().zip(counts).collect();
        let sum = Duration::from_nanos(read(&histogram.nanoseconds));
        self.times(name, &labels(&attributes), &cumulative, below, sum)
    }

    fn process(&mut self, usage: &ProcessUsage) -> fmt::Result {
        let name = "process_cpu_seconds_total";
        self.head(name, "counter", "Processor time of this process, user and system, in seconds")?;
        writeln!(self.0, "{name} {}", usage.cpu_seconds)?;
        let numbers = [
            (
                "process_resident_memory_bytes",
                "Memory of this process that is resident, in bytes",
                usage.resident_bytes,
            ),
            ("process_open_fds", "Files and sockets that are open", usage.open_descriptors),
            ("process_max_fds", "Most files and sockets that may be open", usage.max_descriptors),
        ];
        for (name, help, number) in numbers {
            if let Some(number) = number {
                self.one(name, "gauge", help, number)?;
            }
        }
        let name = "process_start_time_seconds";
        self.head(name, "gauge", "When this process started, in seconds since 1970")?;
        writeln!(self.0, "{name} {}", usage.start_seconds)
    }

    fn databases(&mut self, metrics: &[Metric]) -> fmt::Result {
        // All lines of one name stand together, whichever pool they are of.
        let mut families: BTreeMap<&str, Vec<&Metric>> = BTreeMap::new();
        for metric in metrics {
            families.entry(metric.name).or_default().push(metric);
        }
        for (name, metrics) in families {
            let (kind, ending) = match metrics[0].reading {
                Reading::Level(_) => ("gauge", ""),
                Reading::Count(_) => ("counter", "_total"),
                Reading::Times(_) => ("histogram", "_seconds"),
            };
            let name = format!("{}{ending}", name.replace('.', "_"));
            self.head(&name, kind, metrics[0].description)?;
            for metric in metrics {
                let labels = labels(&metric.attributes);
                match &metric.reading {
                    Reading::Level(number) | Reading::Count(number) => {
                        writeln!(self.0, "{name}{{{labels}}} {number}")?;
                    }
                    Reading::Times(times) => {
                        let cumulative: Vec<_> = times.cumulative().collect();
                        self.times(&name, &labels, &cumulative, times.count(), times.sum())?;
                    }
                }
            }
        }
        Ok(())
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) -> fmt::Result {
        writeln!(self.0, "# HELP {name} {help}.\n# TYPE {name} {kind}")
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) -> fmt::Result {
        self.head(name, kind, help)?;
        writeln!(self.0, "{name} {value}")
    }

    fn times(
        &mut self,
        name: &str,
        labels: &str,
        cumulative: &[(Duration, u64)],
        count: u64,
        sum: Duration,
    ) -> fmt::Result {
        let comma = if labels.is_empty() { "" } else { "," };
        for (bound, below) in cumulative {
            let bound = bound.as_secs_f64();
            writeln!(self.0, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}")?;
        }
        writeln!(self.0, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}")?;
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        writeln!(self.0, "{name}_sum{labels} {}", sum.as_secs_f64())?;
        writeln!(self.0, "{name}_count{labels} {count}")
    }
}

fn labels(attributes: &[(&str, String)]) -> String {
    let escaped =
        |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let label = |(name, value): &(&str, String)| {
        format!("{}=\"{}\"", name.replace('.', "_"), escaped(value))
    };
    attributes.iter().map(label).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::CountedMethod;

    #[test]
    fn a_label_is_escaped_and_a_histogram_is_cumulative() {
        assert_eq!(
            labels(&[("a.b", "c\"\\\n".into()), ("d", "e".into())]),
            r#"a_b="c\"\\\n",d="e""#
        );
        let counts = Counts::default();
        let get = CountedMethod::of("GET");
        counts.ended(get, Some(204));
        counts.answered(get, 204, Some("/notes/{id}"), Duration::from_millis(1));
        counts.answered(get, 204, Some("/notes/{id}"), Duration::from_millis(80));
        let platform = "heroku".to_owned();
        let moment = Moment { in_flight: 1, limit: Some(9), connections: 3, ready: true, platform };
        let page = page(&counts, &moment, &[]);
        let route = "http_request_method=\"GET\",http_response_status_class=\"2xx\",http_route=\"/notes/{id}\"";
        for (line, labels) in [
            ("http_server_request_duration_seconds_bucket{LABELS,le=\"0.005\"} 1", route),
            ("http_server_request_duration_seconds_bucket{LABELS,le=\"0.1\"} 2", route),
            ("http_server_request_duration_seconds_bucket{LABELS,le=\"+Inf\"} 2", route),
            ("http_server_request_duration_seconds_sum{LABELS} 0.081", route),
            ("http_server_request_duration_seconds_count{LABELS} 2", route),
        ] {
            let line = line.replace("LABELS", labels);
            assert!(page.lines().any(|own| own == line), "{line}, in\n{page}");
        }
        for line in [
            "http_server_requests_total{http_request_method=\"GET\",http_response_status_class=\"2xx\"} 1",
            "http_server_active_requests_limit 9",
            "http_server_open_connections 3",
            concat!(
                "anyhost_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\",platform=\"heroku\"} 1"
            ),
        ] {
            assert!(page.lines().any(|own| own == line), "{line}, in\n{page}");
        }
    }
}
