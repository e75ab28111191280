//! No telemetry: what `telemetry` is without the feature `opentelemetry`.

use std::convert::Infallible;
use std::time::Duration;

use http::StatusCode;

use crate::databases::Metric;
use crate::{ConfigError, Failure, Host, Request};

/// Nothing: there is none.
#[derive(Clone, Debug)]
pub struct Telemetry(Infallible);

impl Telemetry {
    /// Returns `None`.
    ///
    /// # Errors
    /// Never.
    #[allow(clippy::unnecessary_wraps, reason = "the other of its kind can fail")]
    pub fn from_host(_host: &Host) -> Result<Option<Self>, Failure> {
        Ok(None)
    }

    #[allow(clippy::unnecessary_wraps, reason = "the other of its kind can fail")]
    pub(crate) fn check(_host: &Host) -> Result<(), ConfigError> {
        Ok(())
    }

    /// Logs a warning if an endpoint is set, and nothing sends to it because of how the program is built.
    pub(crate) fn warn_if_not_built(host: &Host) {
        if host.settings().text("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() {
            tracing::warn!(
                "OTEL_EXPORTER_OTLP_ENDPOINT is set, and this program is built without the feature \
                 `opentelemetry`: nothing is sent"
            );
        }
    }

    /// Returns no exporter.
    #[must_use]
    pub fn traces(&self) -> Option<&Traces> {
        match self.0 {}
    }

    pub(crate) fn log_layer(&self) -> Option<tracing_subscriber::layer::Identity> {
        match self.0 {}
    }

    /// Returns nothing.
    #[must_use]
    pub fn has_metrics(&self) -> bool {
        match self.0 {}
    }

    /// Asks for nothing.
    pub fn observe(&self, _metrics: impl Fn() -> Vec<Metric> + Send + Sync + 'static) {
        match self.0 {}
    }

    /// Asks for nothing.
    pub fn observe_last(&self) {
        match self.0 {}
    }

    /// Sends nothing.
    pub fn flush(&self) {
        match self.0 {}
    }

    /// Sends nothing.
    pub fn end(self, _within: Duration) {
        match self.0 {}
    }
}

/// Nothing: there is none.
#[derive(Clone, Debug)]
pub struct Traces(Infallible);

impl Traces {
    /// Begins no span.
    pub fn begin(&self, _request: &mut Request) -> RequestSpan {
        match self.0 {}
    }
}

/// Nothing: there is none.
#[derive(Debug)]
pub struct RequestSpan(Infallible);

impl RequestSpan {
    /// Ends no span.
    pub fn answered(self, _status: StatusCode, _route: Option<&str>) {
        match self.0 {}
    }
}
