//! Spans of requests, as a collector receives them: a process with the feature, and a receiver of OTLP over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

const PATIENCE: Duration = Duration::from_secs(60);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector: what is posted to it.
fn collector() -> (String, Receiver<ExportTraceServiceRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let tell = tell.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(socket.try_clone().expect("a socket"));
                let mut socket = socket;
                while let Some((first, body)) = post(&mut reader) {
                    assert_eq!(first.trim_end(), "POST /v1/traces HTTP/1.1");
                    let sent = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP");
                    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\
                                  content-length: 0\r\n\r\n";
                    socket.write_all(answer.as_bytes()).expect("the exporter reads");
                    // The test may have seen enough.
                    let _ = tell.send(sent);
                }
            });
        }
    });
    (endpoint, told)
}

/// The first line and the body of a request.
fn post(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().expect("a length"),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first, body))
}

/// The example `subject` with these variables, in its environment for the SDK and on its stdin for itself.
fn subject(pairs: &[(&str, &str)]) -> (Child, String) {
    let own = std::env::current_exe().expect("a test has a file");
    let built = own.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps");
    let mut command = Command::new(built.join("examples/subject"));
    command.env_clear().envs(pairs.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("cargo builds the example beside this test");
    let lines: String = pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(lines.as_bytes()).expect("it reads its settings");
    drop(stdin);
    let mut address = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdout.read_line(&mut address).expect("an address");
    // Its log is read to its end, so that it never waits for a reader.
    std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    (child, address.trim().to_owned())
}

fn get(address: &str, path: &str, headers: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n{headers}\r\n");
    socket.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    answer
}

fn stop(mut child: Child) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().expect("kill runs").success());
    assert!(child.wait().expect("it ends").success());
}

fn spans(sent: ExportTraceServiceRequest) -> Vec<Span> {
    let scopes = sent.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

fn said(attributes: &[KeyValue], key: &str) -> Option<Value> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.clone()?.value
}

fn text(text: &str) -> Option<Value> {
    Some(Value::StringValue(text.into()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_request_is_a_span_of_its_callers_trace_and_the_last_are_sent_at_the_end() {
    let (endpoint, received) = collector();
    let (child, address) = subject(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_SERVICE_NAME", "shop"),
        // Longer than this test takes: only the end of the process sends what is there.
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
    ]);
    while !get(&address, "/readyz", "").starts_with("HTTP/1.1 200") {
        std::thread::yield_now();
    }
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    let seen = get(&address, "/shelf", &parent);
    assert!(get(&address, "/panic", "").starts_with("HTTP/1.1 500"));
    let unsampled = format!("traceparent: 00-{TRACE}-{PARENT}-00\r\n");
    assert!(get(&address, "/quiet", &unsampled).starts_with("HTTP/1.1 200"));
    assert!(received.try_recv().is_err(), "nothing is sent before its time");
    stop(child);

    let sent = received.recv_timeout(PATIENCE).expect("the spans come at the end");
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

#[test]
fn a_collector_that_is_away_holds_nobody() {
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let (child, address) = subject(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{gone}"))]);
    while !get(&address, "/readyz", "").starts_with("HTTP/1.1 200") {
        std::thread::yield_now();
    }
    assert!(get(&address, "/shelf", "").starts_with("HTTP/1.1 200"));
    stop(child);
}
