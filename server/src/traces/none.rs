//! No spans: what `traces` is without the feature `opentelemetry`.

use std::convert::Infallible;
use std::time::Duration;

use anyhost_core::adapter::Failure;
use anyhost_core::{Host, Request};
use http::StatusCode;

/// Nothing: there is none.
#[derive(Clone, Debug)]
pub(crate) struct Traces(Infallible);

impl Traces {
    /// None, and a word about it where somebody asks for them.
    #[expect(clippy::unnecessary_wraps, reason = "the other of its kind can fail")]
    pub(crate) fn of(host: &Host) -> Result<Option<Self>, Failure> {
        if host.settings().text("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() {
            tracing::warn!(
                "OTEL_EXPORTER_OTLP_ENDPOINT is set, and this program is built without the feature \
                 `opentelemetry`: no spans are sent"
            );
        }
        Ok(None)
    }

    pub(crate) fn begin(&self, _request: &mut Request) -> Span {
        match self.0 {}
    }

    pub(crate) fn end(self, _within: Duration) {
        match self.0 {}
    }
}

/// Nothing: there is none.
pub(crate) struct Span(Infallible);

impl Span {
    pub(crate) fn answered(self, _status: StatusCode) {
        match self.0 {}
    }
}
