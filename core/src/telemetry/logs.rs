//! The events of a process as log records, beside its lines on stdout.

use std::time::Duration;

use opentelemetry::logs::{AnyValue, LogRecord as _, Severity};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use opentelemetry::{InstrumentationScope, Key};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::LogExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{
    BatchLogProcessor, LogProcessor, SdkLogRecord, SdkLogger, SdkLoggerProvider,
};

use super::variables::LOGS;
use crate::{Context, Failure};

/// A layer of a tracing subscriber that sends events as log records.
pub(crate) type LogLayer = OpenTelemetryTracingBridge<SdkLoggerProvider, SdkLogger>;

/// The exporter of log records; a clone uses the same exporter.
#[derive(Clone, Debug)]
pub(super) struct Logs(SdkLoggerProvider);

impl Logs {
    /// Log records of what the resource describes, to the collector that the standard variables name.
    pub(super) fn to(resource: Resource) -> Result<Self, Failure> {
        let exporter = LogExporter::builder().with_http().build();
        let exporter = exporter.map_err(|error| LOGS.failed(error))?;
        let processor = RequestLogProcessor(BatchLogProcessor::builder(exporter).build());
        let provider = SdkLoggerProvider::builder().with_log_processor(processor);
        Ok(Self(provider.with_resource(resource).build()))
    }

    pub(super) fn layer(&self) -> LogLayer {
        OpenTelemetryTracingBridge::new(&self.0)
    }

    /// Sends what was logged so far. It blocks the thread until the collector has taken it.
    pub(super) fn flush(&self) {
        if let Err(error) = self.0.force_flush() {
            tracing::warn!("log records were not sent: {error}");
        }
    }

    /// Sends what is left, for no longer than this.
    pub(super) fn end(self, within: Duration) {
        if let Err(error) = self.0.shutdown_with_timeout(within) {
            tracing::warn!("the last log records were not sent: {error}");
        }
    }
}

/// Gives records the trace and the name of their request, and leaves out those of the exporters themselves: each export
/// would cause the next.
#[derive(Debug)]
struct RequestLogProcessor(BatchLogProcessor);

/// The attribute that has the target of a record of the crate `log`, whose own target is `log`.
const TARGET: &str = "log.target";

impl LogProcessor for RequestLogProcessor {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if record.target().is_some_and(|target| target == "log") {
            let key = Key::from_static_str(TARGET);
            let target = record.attributes_iter().find(|(name, _)| *name == key);
            if let Some((_, AnyValue::String(target))) = target {
                let target = target.as_str().to_owned();
                if is_of_exporters(&target) {
                    return;
                }
                record.set_target(target);
            }
        }
        if let Some(context) = Context::current() {
            if record.trace_context().is_none()
                && let Some((trace, span, flags)) = parse(context.trace_parent())
            {
                record.set_trace_context(trace, span, Some(flags));
            }
            record.add_attribute("anyhost.request_id", context.request_id().to_owned());
        }
        self.0.emit(record, scope);
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        !is_of_exporters(target) && self.0.event_enabled(level, target, name)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Whether a target belongs to a crate that exporters send with.
fn is_of_exporters(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    ["hyper", "hyper_util", "reqwest"].contains(&name) || name.starts_with("opentelemetry")
}

/// The parts of a `traceparent`.
fn parse(trace_parent: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let trace = TraceId::from_hex(trace_parent.get(3..35)?).ok()?;
    let span = SpanId::from_hex(trace_parent.get(36..52)?).ok()?;
    let flags = u8::from_str_radix(trace_parent.get(53..55)?, 16).ok()?;
    Some((trace, span, TraceFlags::new(flags)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_the_exporters_are_known_by_their_target() {
        for target in
            ["hyper", "hyper_util::client::legacy", "reqwest::connect", "opentelemetry_sdk"]
        {
            assert!(is_of_exporters(target), "{target}");
        }
        for target in ["hyperspace", "shop::reqwest", "anyhost_core::telemetry"] {
            assert!(!is_of_exporters(target), "{target}");
        }
    }
}
