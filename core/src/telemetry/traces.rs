//! Spans of requests.

use std::time::Duration;

use http::{HeaderMap, StatusCode, Version};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanKind, Status, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context as Parent, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span as SdkSpan};

use super::variables::TRACES;
use crate::{Context, Failure, Request};

/// The exporter of spans; a clone uses the same exporter.
#[derive(Clone, Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Makes the exporter of spans, to the collector that the variables of OpenTelemetry's specification name.
    pub(super) fn to(resource: Resource) -> Result<Self, Failure> {
        let exporter = SpanExporter::builder().with_http().build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter.map_err(|error| TRACES.failed(error))?)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("anyhost");
        Ok(Self { provider, tracer })
    }

    /// Begins the span of a request, which goes on with the trace that came with it. What the request asks
    /// others belongs to the span.
    pub fn begin(&self, request: &mut Request) -> RequestSpan {
        let parent = TraceContextPropagator::new()
            .extract_with_context(&Parent::new(), &Headers(request.headers()));
        let context = request.extensions_mut().remove::<Context>();
        let builder = SpanBuilder::from_name(request.method().to_string())
            .with_kind(SpanKind::Server)
            .with_attributes(attributes(request, context.as_ref()));
        let span = self.tracer.build_with_context(builder, &parent);
        let own = span.span_context();
        if let Some(context) = context {
            let parent = format!(
                "00-{}-{}-{:02x}",
                own.trace_id(),
                own.span_id(),
                own.trace_flags().to_u8()
            );
            request.extensions_mut().insert(context.with_trace_parent(Some(parent)));
        }
        RequestSpan(span)
    }

    /// Sends what has ended so far. It blocks the thread until the collector has taken it.
    pub(super) fn flush(&self) {
        if let Err(error) = self.provider.force_flush() {
            tracing::warn!("spans were not sent: {error}");
        }
    }

    /// Sends what is left, for no longer than this.
    pub(super) fn end(self, within: Duration) {
        if let Err(error) = self.provider.shutdown_with_timeout(within) {
            tracing::warn!("the last spans were not sent: {error}");
        }
    }
}

/// The span of a request; one that is dropped ends without a status.
#[derive(Debug)]
pub struct RequestSpan(SdkSpan);

impl RequestSpan {
    /// Ends the span: the request has its response. The route is the pattern that the App's router matched, if it said one.
    pub fn answered(mut self, status: StatusCode, route: Option<&str>) {
        if let Some(route) = route {
            self.0.set_attribute(KeyValue::new("http.route", route.to_owned()));
        }
        let code = i64::from(status.as_u16());
        self.0.set_attribute(KeyValue::new("http.response.status_code", code));
        if status.is_server_error() {
            self.0.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            self.0.set_status(Status::error(""));
        }
        self.0.end();
    }
}

/// The attributes of a request in OpenTelemetry's conventions for HTTP servers.
fn attributes(request: &Request, context: Option<&Context>) -> Vec<KeyValue> {
    let version = match request.version() {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    let mut all = vec![
        KeyValue::new("http.request.method", request.method().to_string()),
        KeyValue::new("url.path", request.uri().path().to_owned()),
        KeyValue::new("network.protocol.version", version),
    ];
    if let Some(context) = context {
        all.push(KeyValue::new("url.scheme", context.scheme().as_str()));
        all.push(KeyValue::new("anyhost.request_id", context.request_id().to_owned()));
        let address = context.client_ip().map(|address| address.to_string());
        all.extend(address.map(|address| KeyValue::new("client.address", address)));
        all.extend(context.host().map(|host| KeyValue::new("server.address", host.to_owned())));
    }
    all
}

struct Headers<'r>(&'r HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
