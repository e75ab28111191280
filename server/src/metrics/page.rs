//! The counts as Prometheus reads them,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

use anyhost_core::db::{Metric, Reading};

use super::{BOUNDS, CLASSES, Counts, METHODS, read};

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
}

/// The page of `/metrics`.
pub(crate) fn page(counts: &Counts, moment: &Moment, databases: &[Metric]) -> String {
    let mut page = Page(String::with_capacity(4096));
    // Writing to a string cannot fail.
    let _ = page.server(counts, moment);
    let _ = page.databases(databases);
    page.0
}

struct Page(String);

impl Page {
    fn server(&mut self, counts: &Counts, moment: &Moment) -> fmt::Result {
        self.head(
            "http_server_requests_total",
            "counter",
            "Requests by method and class of status; none where the client went away",
        )?;
        for (method, classes) in METHODS.iter().zip(&counts.requests) {
            for (class, count) in CLASSES.iter().zip(classes) {
                // What never happened has no line: else there were dozens.
                let count = read(count);
                if count > 0 {
                    writeln!(
                        self.0,
                        "http_server_requests_total{{http_request_method=\"{method}\",http_response_status_class=\"{class}\"}} {count}"
                    )?;
                }
            }
        }
        let name = "http_server_request_duration_seconds";
        self.head(name, "histogram", "Time until the App had a response")?;
        let mut below = 0;
        let cumulative = BOUNDS.iter().zip(&counts.durations).map(|(bound, count)| {
            below += read(count);
            (*bound, below)
        });
        let cumulative: Vec<_> = cumulative.collect();
        let (count, sum) = counts.total();
        self.times(name, "", &cumulative, count, sum)?;
        self.one(
            "http_server_requests_shed_total",
            "counter",
            "Requests turned away because there were too many",
            read(&counts.shed),
        )?;
        self.one(
            "http_server_active_requests",
            "gauge",
            "Requests being answered, and work that outlasts them",
            moment.in_flight as u64,
        )?;
        if let Some(limit) = moment.limit {
            self.one(
                "http_server_active_requests_limit",
                "gauge",
                "Requests that may be answered at once",
                limit as u64,
            )?;
        }
        self.one(
            "http_server_connections_opened_total",
            "counter",
            "Connections that were accepted",
            read(&counts.connections),
        )?;
        self.one(
            "http_server_open_connections",
            "gauge",
            "Connections that are open",
            moment.connections as u64,
        )?;
        self.one(
            "anyhost_ready",
            "gauge",
            "Whether requests shall be sent here: 1 or 0",
            u64::from(moment.ready),
        )
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
        counts.answered(CountedMethod::of("GET"), Some(204));
        counts.took(Duration::from_millis(1));
        counts.took(Duration::from_millis(80));
        let moment = Moment { in_flight: 1, limit: Some(9), connections: 3, ready: true };
        let page = page(&counts, &moment, &[]);
        for line in [
            "http_server_requests_total{http_request_method=\"GET\",http_response_status_class=\"2xx\"} 1",
            "http_server_request_duration_seconds_bucket{le=\"0.005\"} 1",
            "http_server_request_duration_seconds_bucket{le=\"0.1\"} 2",
            "http_server_request_duration_seconds_bucket{le=\"+Inf\"} 2",
            "http_server_request_duration_seconds_sum 0.081",
            "http_server_request_duration_seconds_count 2",
            "http_server_active_requests_limit 9",
            "http_server_open_connections 3",
        ] {
            assert!(page.lines().any(|own| own == line), "{line}, in\n{page}");
        }
    }
}
