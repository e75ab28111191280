//! Spans of requests.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::NEVER;
use crate::collector::{Collector, Export, hex, said, text};
use crate::subject::Subject;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn spans(sent: ExportTraceServiceRequest) -> Vec<Span> {
    let scopes = sent.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

#[test]
fn every_request_is_a_span_of_its_callers_trace_and_the_last_are_sent_at_the_end() {
    let collector = Collector::start();
    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
        ("OTEL_SERVICE_NAME", "shop"),
        ("OTEL_BSP_SCHEDULE_DELAY", NEVER),
        ("OTEL_METRICS_EXPORTER", "none"),
    ]);
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    let seen = subject.get("/shelf", &parent);
    assert!(subject.get("/panic", "").starts_with("HTTP/1.1 500"));
    let unsampled = format!("traceparent: 00-{TRACE}-{PARENT}-00\r\n");
    assert!(subject.get("/quiet", &unsampled).starts_with("HTTP/1.1 200"));
    assert!(collector.so_far().is_empty(), "nothing is sent before its time");
    subject.stop();

    let sent = collector.so_far();
    let paths: Vec<_> = sent.iter().map(|export| export.path.as_str()).collect();
    assert_eq!(paths, ["/v1/traces"], "the spans come at the end, and no metrics");
    let sent = sent.iter().find_map(Export::spans).expect("spans");
    let resource = sent.resource_spans[0].resource.clone().expect("a resource");
    assert_eq!(said(&resource.attributes, "service.name"), text("shop"));
    let spans = spans(sent);
    let paths: Vec<_> = spans.iter().map(|span| said(&span.attributes, "url.path")).collect();
    // Probes are no requests, and what the caller does not sample is not sampled here.
    assert_eq!(paths, [text("/shelf"), text("/panic")]);

    let [shelf, panic] = &spans[..] else { panic!("two spans") };
    assert_eq!((hex(&shelf.trace_id), hex(&shelf.parent_span_id)), (TRACE.into(), PARENT.into()));
    assert_eq!((shelf.name.as_str(), shelf.kind), ("GET", 2), "a server's span");
    assert_eq!(said(&shelf.attributes, "http.response.status_code"), Some(Value::IntValue(200)));
    assert_eq!(said(&shelf.attributes, "server.address"), text("shop.example"));
    // The App hands on the trace under this very span.
    let own = format!("00-{TRACE}-{}-01", hex(&shelf.span_id));
    assert!(seen.contains(&own), "{own}, in {seen}");

    assert!(panic.parent_span_id.is_empty() && hex(&panic.trace_id) != TRACE);
    assert_eq!(panic.status.as_ref().map(|status| status.code), Some(2), "an error");
}
