//! No spans: what `traces` is without the feature `opentelemetry`.

use std::convert::Infallible;
use std::time::Duration;

use http::StatusCode;

use crate::{Failure, Host, Request};

/// Nothing: there is none.
#[derive(Clone, Debug)]
pub struct Traces(Infallible);

impl Traces {
    /// Returns `None`, and logs a warning if an endpoint is set.
    ///
    /// # Errors
    /// Never.
    #[allow(clippy::unnecessary_wraps, reason = "the other of its kind can fail")]
    pub fn of(host: &Host) -> Result<Option<Self>, Failure> {
        if host.settings().text("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() {
            tracing::warn!(
                "OTEL_EXPORTER_OTLP_ENDPOINT is set, and this program is built without the feature \
                 `opentelemetry`: no spans are sent"
            );
        }
        Ok(None)
    }

    /// Begins no span.
    pub fn begin(&self, _request: &mut Request) -> RequestSpan {
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
#[derive(Debug)]
pub struct RequestSpan(Infallible);

impl RequestSpan {
    /// Ends no span.
    pub fn answered(self, _status: StatusCode, _route: Option<&str>) {
        match self.0 {}
    }
}
