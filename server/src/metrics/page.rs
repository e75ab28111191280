//! The counts as Prometheus reads them,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use anyhost_core::adapter::{Metric, Reading, Times};

/// The page of `/metrics`.
pub(crate) fn page(metrics: &[Metric]) -> String {
    let mut page = Page(String::with_capacity(4096));
    // Writing to a string cannot fail.
    let _ = page.write(metrics);
    page.0
}

struct Page(String);

impl Page {
    fn write(&mut self, metrics: &[Metric]) -> fmt::Result {
        // All lines of one name stand together, whichever route or pool they are of.
        let mut families: BTreeMap<&str, Vec<&Metric>> = BTreeMap::new();
        for metric in metrics {
            families.entry(metric.name).or_default().push(metric);
        }
        for (name, metrics) in families {
            let (kind, ending) = match metrics[0].reading {
                Reading::Level(_) => ("gauge", ""),
                Reading::Count(_) => ("counter", "_total"),
                Reading::Seconds(_) => ("counter", "_seconds_total"),
                Reading::Times(_) => ("histogram", "_seconds"),
            };
            let name = format!("{}{ending}", name.replace('.', "_"));
            let help = metrics[0].description;
            writeln!(self.0, "# HELP {name} {help}.\n# TYPE {name} {kind}")?;
            for metric in metrics {
                let labels = labels(&metric.attributes);
                match &metric.reading {
                    Reading::Level(number) | Reading::Count(number) => {
                        writeln!(self.0, "{name}{} {number}", braces(&labels))?;
                    }
                    Reading::Seconds(time) => {
                        writeln!(self.0, "{name}{} {}", braces(&labels), time.as_secs_f64())?;
                    }
                    Reading::Times(times) => self.times(&name, &labels, times)?,
                }
            }
        }
        Ok(())
    }

    fn times(&mut self, name: &str, labels: &str, times: &Times) -> fmt::Result {
        let count = times.count();
        let comma = if labels.is_empty() { "" } else { "," };
        for (bound, below) in times.cumulative() {
            let bound = bound.as_secs_f64();
            writeln!(self.0, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}")?;
        }
        writeln!(self.0, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}")?;
        let labels = braces(labels);
        writeln!(self.0, "{name}_sum{labels} {}", times.sum().as_secs_f64())?;
        writeln!(self.0, "{name}_count{labels} {count}")
    }
}

fn braces(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
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
    use std::time::Duration;

    use anyhost_core::adapter::{CountedMethod, RequestCounts};

    use super::*;

    #[test]
    fn a_label_is_escaped_and_a_histogram_is_cumulative() {
        assert_eq!(
            labels(&[("a.b", "c\"\\\n".into()), ("d", "e".into())]),
            r#"a_b="c\"\\\n",d="e""#
        );
        let counts = RequestCounts::default();
        let get = CountedMethod::from_name("GET");
        counts.ended(get, Some(204));
        counts.answered(get, 204, Some("/notes/{id}"), Duration::from_millis(1));
        counts.answered(get, 204, Some("/notes/{id}"), Duration::from_millis(80));
        let mut metrics = counts.metrics();
        metrics.push(Metric::new("http.server.active_requests", "1", "", Reading::Level(9)));
        let build = Metric::new("anyhost.build_info", "1", "", Reading::Level(1));
        metrics.push(build.with("platform", "heroku"));
        let page = page(&metrics);
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
            "http_server_active_requests 9",
            "anyhost_build_info{platform=\"heroku\"} 1",
        ] {
            assert!(page.lines().any(|own| own == line), "{line}, in\n{page}");
        }
    }
}
