//! Events as log records.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use crate::NEVER;
use crate::collector::{Collector, Export, hex, said, text};
use crate::subject::Subject;

/// The records of all exports, each with its target.
fn records(exports: &[Export]) -> Vec<(String, LogRecord)> {
    let sent = exports.iter().filter_map(Export::logs);
    let resources = sent.flat_map(|sent| sent.resource_logs);
    let scopes = resources.flat_map(|resource| resource.scope_logs);
    scopes
        .flat_map(|logs| {
            let target = logs.scope.map(|scope| scope.name).unwrap_or_default();
            logs.log_records.into_iter().map(move |record| (target.clone(), record))
        })
        .collect()
}

fn body(record: &LogRecord) -> String {
    match record.body.as_ref().and_then(|body| body.value.clone()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{other:?} is no text"),
    }
}

#[test]
fn events_are_records_with_the_trace_and_the_span_of_their_request() {
    let collector = Collector::start();
    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_SERVICE_NAME", "shop"),
        ("OTEL_BSP_SCHEDULE_DELAY", NEVER),
        ("OTEL_BLRP_SCHEDULE_DELAY", NEVER),
    ]);
    assert!(subject.get("/panic", "x-request-id: r-1\r\n").starts_with("HTTP/1.1 500"));
    let ended = subject.stop();

    let exports = collector.so_far();
    let spans = exports.iter().find_map(Export::spans).expect("spans");
    let span = &spans.resource_spans[0].scope_spans[0].spans[0];
    let records = records(&exports);
    let own = |record: &LogRecord| record.span_id == span.span_id;
    let of_request: Vec<_> = records.iter().filter(|(_, record)| own(record)).collect();
    assert!(!of_request.is_empty(), "{records:?}");
    for (_, record) in &of_request {
        assert_eq!(hex(&record.trace_id), hex(&span.trace_id));
        assert_eq!(
            said(&record.attributes, "anyhost.request_id"),
            said(&span.attributes, "anyhost.request_id")
        );
        assert_eq!((record.severity_text.as_str(), record.severity_number), ("ERROR", 17));
        // The same event is a line.
        assert!(
            ended.stdout.contains("on purpose") && body(record).contains("panic"),
            "{record:?}"
        );
    }
    // Those of the process are of no request: the first is there, and the last.
    for expected in ["ready", "drained"] {
        let found = records.iter().find(|(_, record)| body(record).contains(expected));
        let (target, record) = found.unwrap_or_else(|| panic!("no {expected} in {records:?}"));
        assert!(record.trace_id.is_empty() && target.starts_with("anyhost_server"), "{target}");
    }
    let logs = exports.iter().find_map(Export::logs).expect("records");
    let resource = logs.resource_logs[0].resource.clone().expect("a resource").attributes;
    let of_spans = spans.resource_spans[0].resource.clone().expect("a resource").attributes;
    assert_eq!(said(&resource, "service.name"), text("shop"));
    let id = "service.instance.id";
    assert_eq!(said(&resource, id), said(&of_spans, id), "all signals are of one resource");
}

#[test]
fn records_are_not_sent_unless_they_are_asked_for() {
    let collector = Collector::start();
    let subject = Subject::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint)]);
    assert!(subject.get("/panic", "").starts_with("HTTP/1.1 500"));
    subject.stop();
    let exports = collector.so_far();
    assert!(exports.iter().any(|export| export.spans().is_some()), "it sends something");
    assert!(exports.iter().all(|export| export.logs().is_none()));
}

#[test]
fn an_export_causes_no_records() {
    let collector = Collector::start();
    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "50"),
        ("LOG_LEVEL", "trace"),
    ]);
    assert!(subject.get("/panic", "").starts_with("HTTP/1.1 500"));
    // Ten exports of another signal, and what they logged is in the next exports of records.
    let mut exports = Vec::new();
    while exports.iter().filter(|export: &&Export| export.metrics().is_some()).count() < 10 {
        exports.push(collector.next());
    }
    let ended = subject.stop();
    exports.extend(collector.so_far());
    let records = records(&exports);
    assert!(records.iter().any(|(target, _)| target.starts_with("anyhost_server")));
    let of_exporters = |target: &str| {
        ["hyper", "reqwest", "opentelemetry"].iter().any(|name| target.starts_with(name))
    };
    let found = records.iter().find(|(target, _)| of_exporters(target));
    assert_eq!(found, None, "an event of the exporters");
    // They do log, so that each export would have caused another.
    let line = ended.stdout.lines().find(|line| line.contains("\"target\":\"hyper_util::client"));
    assert!(line.is_some(), "{}", ended.stdout);
}
