//! What a process tells OpenTelemetry collectors, by OTLP over HTTP: spans of requests, metrics and log records.

mod logs;
mod metrics;
mod points;
mod temporality;
mod traces;
mod variables;

use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

pub(crate) use logs::LogLayer;
pub use traces::{RequestSpan, Traces};

use crate::databases::Metric;
use crate::{ConfigError, Failure, Host};
use logs::Logs;
use metrics::Metrics;
use variables::{LOGS, METRICS, TRACES};

/// The exporters of a process; a clone uses the same ones.
#[derive(Clone, Debug)]
pub struct Telemetry {
    traces: Option<Traces>,
    metrics: Option<Metrics>,
    logs: Option<Logs>,
}

impl Telemetry {
    /// The exporters that the standard variables ask for: spans and metrics if an endpoint is set, log records if
    /// `OTEL_LOGS_EXPORTER` is `otlp`. The SDK reads further variables itself.
    ///
    /// # Errors
    /// [`Failure`] if they ask for what is not built in.
    pub fn from_host(host: &Host) -> Result<Option<Self>, Failure> {
        let settings = host.settings();
        let wanted = [&TRACES, &METRICS, &LOGS].map(|signal| signal.wanted(settings));
        let [traces, metrics, logs] = wanted;
        let (traces, metrics, logs) = (traces?, metrics?, logs?);
        if !(traces || metrics || logs) {
            return Ok(None);
        }
        // It includes OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES already.
        let resource = Resource::builder()
            .with_attribute(KeyValue::new("service.instance.id", host.instance().to_owned()))
            .build();
        Ok(Some(Self {
            traces: traces.then(|| Traces::to(resource.clone())).transpose()?,
            metrics: metrics.then(|| Metrics::to(settings, resource.clone())).transpose()?,
            logs: logs.then(|| Logs::to(resource)).transpose()?,
        }))
    }

    /// Checks the standard variables, for a program that only says whether it would start.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is wrong.
    pub(crate) fn check(host: &Host) -> Result<(), ConfigError> {
        for signal in [&TRACES, &METRICS, &LOGS] {
            signal.wanted(host.settings())?;
        }
        metrics::check(host.settings())
    }

    /// Logs a warning if an endpoint is set, and nothing sends to it because of how the program is built.
    pub(crate) fn warn_if_not_built(_host: &Host) {}

    /// Returns the exporter of spans, if spans are asked for.
    #[must_use]
    pub fn traces(&self) -> Option<&Traces> {
        self.traces.as_ref()
    }

    /// Returns the layer that sends the events of a tracing subscriber, if log records are asked for.
    pub(crate) fn log_layer(&self) -> Option<LogLayer> {
        self.logs.as_ref().map(Logs::layer)
    }

    /// Whether metrics are asked for.
    #[must_use]
    pub fn has_metrics(&self) -> bool {
        self.metrics.is_some()
    }

    /// Sets what is asked for the metrics of this process each time they are sent.
    pub fn observe(&self, metrics: impl Fn() -> Vec<Metric> + Send + Sync + 'static) {
        if let Some(own) = &self.metrics {
            own.observe(Box::new(metrics));
        }
    }

    /// Asks for the metrics a last time and keeps them for the last export: what they are read from may end now.
    pub fn observe_last(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.observe_last();
        }
    }

    /// Sends what there is so far. It blocks the thread until the collectors have taken it.
    pub fn flush(&self) {
        // At once: a collector that is away costs its time for each signal.
        std::thread::scope(|scope| {
            if let Some(traces) = &self.traces {
                scope.spawn(|| traces.flush());
            }
            if let Some(metrics) = &self.metrics {
                scope.spawn(|| metrics.flush());
            }
            if let Some(logs) = &self.logs {
                scope.spawn(|| logs.flush());
            }
        });
    }

    /// Sends what is left, for no longer than this. Exporters that are dropped without it block for seconds if their
    /// collector is away.
    pub fn end(self, within: Duration) {
        let Self { traces, metrics, logs } = self;
        let end = Instant::now() + within;
        let (done, all) = sync_channel(3);
        let mut running = 0;
        let mut spawn = |work: Box<dyn FnOnce() + Send>| {
            let done = done.clone();
            // Without a thread there is no last export.
            let spawned =
                std::thread::Builder::new().name("anyhost-otlp".into()).spawn(move || {
                    work();
                    // Fails if the time is up.
                    let _ = done.send(());
                });
            running += usize::from(spawned.is_ok());
        };
        if let Some(traces) = traces {
            spawn(Box::new(move || traces.end(within)));
        }
        if let Some(metrics) = metrics {
            spawn(Box::new(move || metrics.end()));
        }
        if let Some(logs) = logs {
            spawn(Box::new(move || logs.end(within)));
        }
        for _ in 0..running {
            let left = end.saturating_duration_since(Instant::now());
            if all.recv_timeout(left).is_err() {
                tracing::warn!("the last telemetry was not sent in {within:?}");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Paradigm, Settings};

    #[test]
    fn a_check_finds_what_a_start_would() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        for wrong in [
            "OTEL_LOGS_EXPORTER",
            "OTEL_METRIC_EXPORT_INTERVAL",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        ] {
            let settings = Settings::from_pairs([endpoint, (wrong, "wrong")]);
            let host = Host::builder(Paradigm::LongRunning, "test").settings(settings);
            let host = host.build().expect("a host");
            assert_eq!(Telemetry::check(&host).expect_err("wrong").variable(), wrong);
            let failure = Telemetry::from_host(&host).map(drop).expect_err("wrong").to_string();
            assert!(failure.contains(wrong), "{failure}");
        }
    }
}
