//! Collectors that are away, wrong variables and secrets.

use std::net::TcpListener;
use std::sync::mpsc::channel;

use crate::collector::Collector;
use crate::subject::Subject;
use crate::{NEVER, PATIENCE};

/// An address that refuses connections.
fn gone() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("bound"))
}

#[test]
fn a_collector_that_is_away_holds_nobody() {
    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &gone()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
    ]);
    assert!(subject.get("/shelf", "").starts_with("HTTP/1.1 200"));
    subject.stop();
}

#[test]
fn a_collector_that_never_answers_holds_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("bound"));
    let (tell, accepted) = channel();
    std::thread::spawn(move || silent.incoming().try_for_each(|socket| tell.send(socket)));
    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", NEVER),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "50"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
    ]);
    assert!(subject.get("/shelf", "").starts_with("HTTP/1.1 200"));
    // Spans, metrics and records are on their way when the process is told to stop.
    let _exports = [(); 3].map(|()| accepted.recv_timeout(PATIENCE).expect("an export"));
    assert!(subject.get("/shelf", "").starts_with("HTTP/1.1 200"));
    subject.stop();
}

#[test]
fn the_headers_are_a_secret() {
    let collector = Collector::start();
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer s3cret");
    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        headers,
    ]);
    let export = collector.next();
    assert!(export.head.contains("authorization: bearer s3cret"), "{}", export.head);
    subject.stop();

    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &gone()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("LOG_LEVEL", "trace"),
        headers,
    ]);
    assert!(subject.get("/shelf", "").starts_with("HTTP/1.1 200"));
    let ended = subject.stop();
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("not sent"), "the test sees what the exporters say: {said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_wrong_variable_ends_the_start_in_one_line_that_names_it() {
    for (name, value) in [
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1m"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
        ("OTEL_LOGS_EXPORTER", "console"),
    ] {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        let ended = Subject::spawn(&[endpoint, (name, value)]).wait();
        assert!(!ended.status.success());
        assert!(ended.stderr.contains(&format!("{name}: expected ")), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}
