//! The numbers of a process under the names that OpenTelemetry's conventions give them, first of all those of a pool.

use std::time::Duration;

use super::{Stats, Times};

/// One number of a process, under OpenTelemetry's name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name: `db.client.connection.count`.
    pub name: &'static str,
    /// The help text: a sentence without a full stop.
    pub description: &'static str,
    /// Its unit, as OpenTelemetry writes it: `{connection}`, `s`.
    pub unit: &'static str,
    /// The labels that distinguish it from others of the same name.
    pub attributes: Vec<(&'static str, String)>,
    /// The number itself.
    pub reading: Reading,
}

/// The number of a [`Metric`], by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It goes up and down.
    Level(u64),
    /// It only grows.
    Count(u64),
    /// A time that only grows, in seconds.
    Seconds(Duration),
    /// Durations, in seconds.
    Times(Times),
}

#[cfg(feature = "opentelemetry")]
impl Reading {
    /// What has been counted since an earlier reading of the same metric. A smaller number was counted anew.
    pub(crate) fn minus(self, earlier: Self) -> Self {
        match (self, earlier) {
            (Self::Count(now), Self::Count(then)) => {
                Self::Count(now.checked_sub(then).unwrap_or(now))
            }
            (Self::Seconds(now), Self::Seconds(then)) => {
                Self::Seconds(now.checked_sub(then).unwrap_or(now))
            }
            (Self::Times(now), Self::Times(then)) => Self::Times(now.minus(&then)),
            _ => self,
        }
    }
}

impl Metric {
    /// A number without labels.
    #[must_use]
    pub fn new(
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        reading: Reading,
    ) -> Self {
        Self { name, description, unit, attributes: Vec::new(), reading }
    }

    /// Adds a label.
    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((label, value.into()));
        self
    }
}

impl Stats {
    /// The same numbers under the names of OpenTelemetry's conventions, `db.client.connection.*`; those that
    /// it has no name for are `anyhost.db.*`.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        let level = |number: usize| Reading::Level(u64::try_from(number).unwrap_or(u64::MAX));
        let mut metrics = Vec::new();
        let mut add = |name, unit, description, reading, more: Option<(&'static str, &str)>| {
            let mut attributes = vec![
                ("db.client.connection.pool.name", self.pool.clone()),
                ("db.system.name", self.system.to_owned()),
            ];
            attributes.extend(more.map(|(key, value)| (key, value.to_owned())));
            metrics.push(Metric { name, description, unit, attributes, reading });
        };
        for (state, number) in [("idle", self.idle), ("used", self.in_use)] {
            add(
                "db.client.connection.count",
                "{connection}",
                "Connections that are in the state the attribute names",
                level(number),
                Some(("db.client.connection.state", state)),
            );
        }
        let connections = [
            ("db.client.connection.idle.max", "The most idle connections that are kept", self.max),
            ("db.client.connection.idle.min", "The fewest idle connections kept", self.warm),
            ("db.client.connection.max", "The most connections that may be open", self.max),
        ];
        for (name, description, number) in connections {
            add(name, "{connection}", description, level(number), None);
        }
        add(
            "db.client.connection.pending_requests",
            "{request}",
            "Callers that wait for a connection",
            level(self.waiting),
            None,
        );
        add(
            "anyhost.db.writer.pending_requests",
            "{request}",
            "Callers that wait for their turn to write",
            level(self.waiting_to_write),
            None,
        );
        add(
            "db.client.connection.timeouts",
            "{timeout}",
            "Callers whose time was up before there was a connection for them",
            Reading::Count(self.timeouts),
            None,
        );
        let times = [
            ("db.client.connection.create_time", "How long connecting took", self.create_time),
            ("db.client.connection.wait_time", "How long callers waited", self.wait_time),
            ("db.client.connection.use_time", "How long connections were held", self.use_time),
        ];
        for (name, description, times) in times {
            add(name, "s", description, Reading::Times(times), None);
        }
        let counts = [
            ("anyhost.db.connection.created", "{connection}", "Connections opened", self.created),
            (
                "anyhost.db.connection.refused",
                "{request}",
                "Callers refused without a wait",
                self.refused,
            ),
            (
                "anyhost.db.connection.leaks",
                "{connection}",
                "Connections held for long",
                self.leaks,
            ),
            (
                "anyhost.db.connection.pings",
                "{ping}",
                "Pings sent to idle connections before reuse",
                self.pings,
            ),
        ];
        for (name, unit, description, count) in counts {
            add(name, unit, description, Reading::Count(count), None);
        }
        for (reason, count) in self.closed.reasons() {
            add(
                "anyhost.db.connection.closed",
                "{connection}",
                "Connections closed for the reason the attribute names",
                Reading::Count(count),
                Some(("anyhost.db.connection.reason", reason)),
            );
        }
        for (kind, count) in &self.changes {
            add(
                "anyhost.db.connection.changed",
                "{connection}",
                "Connections closed because a statement of the kind the attribute names changed them",
                Reading::Count(*count),
                Some(("anyhost.db.statement.kind", kind)),
            );
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_conventions_is_there_and_metrics_differ() {
        let stats =
            Stats { pool: "h:1/d".into(), system: "mysql", idle: 2, max: 5, ..Stats::default() };
        let metrics = stats.metrics();
        for name in [
            "count",
            "idle.max",
            "idle.min",
            "max",
            "pending_requests",
            "timeouts",
            "create_time",
            "wait_time",
            "use_time",
        ] {
            let name = format!("db.client.connection.{name}");
            assert!(metrics.iter().any(|metric| metric.name == name), "{name}");
        }
        for (index, metric) in metrics.iter().enumerate() {
            assert!(
                metric.attributes.contains(&("db.client.connection.pool.name", "h:1/d".into()))
            );
            let same = |other: &&Metric| {
                other.name == metric.name && other.attributes == metric.attributes
            };
            assert_eq!(metrics.iter().position(|other| same(&other)), Some(index), "{metric:?}");
        }
        assert!(metrics.iter().any(|metric| {
            metric.reading == Reading::Level(2)
                && metric.attributes.contains(&("db.client.connection.state", "idle".into()))
        }));
    }
}
