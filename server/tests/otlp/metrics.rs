//! Metrics of requests, of the server and of the process.

use std::os::unix::net::UnixStream;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, NumberDataPoint};

use crate::NEVER;
use crate::collector::{Collector, Export, said, text};
use crate::subject::{Subject, ask};

/// The data of all metrics of one name.
fn data(sent: &ExportMetricsServiceRequest, name: &str) -> Vec<Data> {
    let scopes = sent.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    metrics.filter(|metric| metric.name == name).filter_map(|metric| metric.data.clone()).collect()
}

/// The points of a sum.
fn points(sent: &ExportMetricsServiceRequest, name: &str) -> Vec<NumberDataPoint> {
    let sums = data(sent, name).into_iter();
    sums.flat_map(|data| match data {
        Data::Sum(sum) => sum.data_points,
        other => panic!("{name} is {other:?}"),
    })
    .collect()
}

/// The ranges of a histogram.
fn ranges(sent: &ExportMetricsServiceRequest, name: &str) -> Vec<HistogramDataPoint> {
    let histograms = data(sent, name).into_iter();
    histograms
        .flat_map(|data| match data {
            Data::Histogram(histogram) => histogram.data_points,
            other => panic!("{name} is {other:?}"),
        })
        .collect()
}

/// How many GET requests were answered with 200.
fn answered(sent: &ExportMetricsServiceRequest) -> Option<i64> {
    let points = points(sent, "http.server.requests");
    let found = points.iter().find(|point| {
        said(&point.attributes, "http.request.method") == text("GET")
            && said(&point.attributes, "http.response.status_class") == text("2xx")
    });
    match found?.value? {
        Value::AsInt(number) => Some(number),
        Value::AsDouble(number) => panic!("{number} is no count"),
    }
}

#[test]
fn the_last_metrics_are_those_of_the_page_and_are_sent_at_the_end() {
    let collector = Collector::start();
    let folder = tempfile::tempdir().expect("a folder");
    let admin = folder.path().join("admin.sock").display().to_string();
    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
        ("OTEL_SERVICE_NAME", "shop"),
        ("OTEL_BSP_SCHEDULE_DELAY", NEVER),
        ("OTEL_METRIC_EXPORT_INTERVAL", NEVER),
        ("ADMIN_LISTEN", &format!("unix:{admin}")),
    ]);
    for _ in 0..3 {
        assert!(subject.get("/shelf", "").starts_with("HTTP/1.1 200"));
    }
    assert!(subject.get("/panic", "").starts_with("HTTP/1.1 500"));
    let page = ask(UnixStream::connect(&admin).expect("operators are answered"), "/metrics", "");
    assert!(collector.so_far().is_empty(), "nothing is sent before its time");
    subject.stop();

    let exports = collector.so_far();
    let all: Vec<_> = exports.iter().filter_map(Export::metrics).collect();
    let [sent] = &all[..] else { panic!("{} exports of metrics", all.len()) };
    let resources: Vec<_> = sent
        .resource_metrics
        .iter()
        .map(|resource| resource.resource.clone().expect("a resource").attributes)
        .collect();
    let spans = exports.iter().find_map(Export::spans).expect("spans of the same process");
    let of_spans = spans.resource_spans[0].resource.clone().expect("a resource").attributes;
    for name in ["service.name", "service.instance.id"] {
        let own = said(&of_spans, name);
        assert!(own.is_some(), "{name}");
        for resource in &resources {
            assert_eq!(said(resource, name), own, "all signals are of one resource");
        }
    }

    let line = "http_server_requests_total{http_request_method=\"GET\",http_response_status_class=\"2xx\"} 3";
    assert!(page.contains(line), "{line}, in {page}");
    assert_eq!(answered(sent), Some(3));
    let durations = ranges(sent, "http.server.request.duration");
    let [ok, failed] = &durations[..] else { panic!("{durations:?}") };
    assert_eq!((ok.count, failed.count), (3, 1));
    assert_eq!(ok.bucket_counts.iter().sum::<u64>(), 3);
    assert_eq!(ok.bucket_counts.len(), ok.explicit_bounds.len() + 1);
    assert_eq!(ok.explicit_bounds[0], 0.005);
    assert!(ok.sum > Some(0.0) && ok.start_time_unix_nano < ok.time_unix_nano);
    for name in ["http.server.active_requests", "process.cpu.time", "anyhost.ready"] {
        assert_eq!(points(sent, name).len(), 1, "{name}");
    }
    assert_eq!(data(sent, "process.uptime").len(), 1, "the SDK's own");
}

#[test]
fn metrics_are_sent_at_their_interval() {
    let collector = Collector::start();
    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &format!("{}/v1/metrics", collector.endpoint)),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
    ]);
    for expected in 1..=2 {
        assert!(subject.get("/shelf", "").starts_with("HTTP/1.1 200"));
        loop {
            let export = collector.next();
            let sent = export.metrics().expect("the endpoint is that of metrics alone");
            if answered(&sent) == Some(expected) {
                break;
            }
        }
    }
    subject.stop();
}

#[test]
fn counts_are_those_since_the_last_export_if_delta_is_preferred() {
    let collector = Collector::start();
    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &format!("{}/v1/metrics", collector.endpoint)),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
    ]);
    let (mut ended, mut total) = (None, 0);
    let mut take = |sent: &ExportMetricsServiceRequest| {
        for histogram in ranges(sent, "http.server.request.duration") {
            let (since, now) = (histogram.start_time_unix_nano, histogram.time_unix_nano);
            assert!(since == *ended.get_or_insert(since) && since < now, "period after period");
        }
        let [level] = &points(sent, "anyhost.ready")[..] else { panic!("one process") };
        ended = Some(level.time_unix_nano);
        total += answered(sent).unwrap_or(0);
        total
    };
    for expected in 1..=2 {
        assert!(subject.get("/shelf", "").starts_with("HTTP/1.1 200"));
        while take(&collector.next().metrics().expect("metrics alone")) < expected {}
    }
    subject.stop();
    let last = collector.so_far().iter().filter_map(Export::metrics).map(|sent| take(&sent)).last();
    assert_eq!(last, Some(2), "no request is counted twice");
}

#[test]
fn the_numbers_of_a_pool_are_sent() {
    let collector = Collector::start();
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("subject.db").display());
    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &format!("{}/v1/metrics", collector.endpoint)),
        ("OTEL_METRIC_EXPORT_INTERVAL", NEVER),
        ("DATABASE_URL", &url),
    ]);
    for _ in 0..3 {
        assert!(subject.get("/query", "").ends_with("an answer"));
    }
    subject.stop();
    let exports = collector.so_far();
    let [sent] = &exports.iter().filter_map(Export::metrics).collect::<Vec<_>>()[..] else {
        panic!("{} exports", exports.len())
    };
    let [waits] = &ranges(sent, "db.client.connection.wait_time")[..] else {
        panic!("one pool: {sent:?}")
    };
    assert!(waits.count >= 3, "each query takes a connection: {waits:?}");
    assert_eq!(said(&waits.attributes, "db.system.name"), text("sqlite"));
    let pool = said(&waits.attributes, "db.client.connection.pool.name");
    let states = points(sent, "db.client.connection.count");
    for state in ["idle", "used"] {
        let found = states.iter().find(|point| {
            said(&point.attributes, "db.client.connection.state") == text(state)
                && said(&point.attributes, "db.client.connection.pool.name") == pool
        });
        assert!(found.is_some(), "{state} in {states:?}");
    }
    let created = points(sent, "anyhost.db.connection.created");
    assert!(matches!(created[0].value, Some(Value::AsInt(1..))), "{created:?}");
}

#[test]
fn metrics_that_nobody_wants_are_not_sent() {
    let collector = Collector::start();
    let subject = Subject::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("OTEL_METRICS_EXPORTER", "none"),
    ]);
    assert!(subject.get("/shelf", "").starts_with("HTTP/1.1 200"));
    assert_eq!(collector.next().path, "/v1/traces");
    subject.stop();
    assert!(collector.so_far().iter().all(|export| export.path == "/v1/traces"));
}
