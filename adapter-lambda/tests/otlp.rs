//! Telemetry on Lambda reaches the collector before the process polls for the next invocation, where it may be frozen.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

const PATIENCE: Duration = Duration::from_secs(60);

/// An event of an HTTP API, payload 2.0.
const EVENT: &str = r#"{"version":"2.0","routeKey":"$default","rawPath":"/shelf","rawQueryString":"","headers":{"host":"shop.example"},"requestContext":{"http":{"method":"GET","path":"/shelf","protocol":"HTTP/1.1","sourceIp":"192.0.2.1"},"stage":"$default"},"isBase64Encoded":false}"#;

/// How long the function may take: the longest that Lambda knows.
const LONGEST: Duration = Duration::from_secs(900);

/// Longer than a test takes.
const NEVER: &str = "600000";

/// Ends the program if the test fails.
struct Function(Child);

impl Function {
    /// Stops it as Lambda does.
    fn stop(&mut self) -> ExitStatus {
        let id = self.0.id().to_string();
        let killed = Command::new("kill").args(["-s", "TERM", &id]).status();
        assert!(killed.expect("kill runs").success());
        self.0.wait().expect("it ends")
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // Fails if the program has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A request by its path and its body.
type PostedRequest = (String, Vec<u8>);

/// A Runtime API with one invocation, and a collector, on one port; sends each request to the test.
fn serve() -> (String, Receiver<PostedRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let (tell, told) = channel();
    let given = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let (tell, given) = (tell.clone(), Arc::clone(&given));
            std::thread::spawn(move || answer(socket, &tell, &given));
        }
    });
    (address, told)
}

/// Answers the requests of one connection; one that must wait is never answered.
fn answer(mut socket: TcpStream, tell: &Sender<PostedRequest>, given: &AtomicBool) {
    let mut reader = BufReader::new(socket.try_clone().expect("a socket"));
    while let Some((path, body)) = request(&mut reader) {
        // Fails if the test has ended.
        let _ = tell.send((path.clone(), body));
        let (headers, body) = match path.as_str() {
            path if path.ends_with("/extension/register") => {
                ("lambda-extension-identifier: e-1\r\n".to_owned(), "{}")
            }
            path if path.ends_with("/invocation/next") && !given.swap(true, Ordering::SeqCst) => {
                let deadline = SystemTime::now() + LONGEST;
                let since_1970 = deadline.duration_since(UNIX_EPOCH).expect("after 1970");
                let deadline = since_1970.as_millis();
                let headers = format!(
                    "lambda-runtime-aws-request-id: r-1\r\nlambda-runtime-deadline-ms: {deadline}\r\n"
                );
                (headers, EVENT)
            }
            path if path.ends_with("/next") => {
                std::thread::park();
                return;
            }
            _ => (String::new(), ""),
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n{body}");
        if socket.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads the next request.
fn request(reader: &mut impl BufRead) -> Option<PostedRequest> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut length = 0;
    let mut chunked = false;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().expect("a length"),
            Some(("transfer-encoding", _)) => chunked = true,
            Some(_) => {}
            None => break,
        }
    }
    assert!(!chunked, "{first} has a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first.split(' ').nth(1)?.to_owned(), body))
}

/// Runs the example with these variables.
fn start(address: &str, more: &[(&str, &str)]) -> Function {
    let own = std::env::current_exe().expect("a test has a file");
    let built = own.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps");
    let mut command = Command::new(built.join("examples/hello_lambda"));
    command.env_clear().stdout(Stdio::null()).envs([
        ("AWS_LAMBDA_RUNTIME_API", address),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}")),
        // Longer than this test takes, so only the end of the invocation flushes them.
        ("OTEL_BSP_SCHEDULE_DELAY", NEVER),
        ("OTEL_BLRP_SCHEDULE_DELAY", NEVER),
        ("OTEL_METRIC_EXPORT_INTERVAL", NEVER),
    ]);
    command.envs(more.iter().copied());
    Function(command.spawn().expect("cargo builds the example beside this test"))
}

/// What is sent until this many requests have a path that ends so.
fn until(requests: &Receiver<PostedRequest>, end: &str, mut times: usize) -> Vec<PostedRequest> {
    let mut seen: Vec<PostedRequest> = Vec::new();
    while times > 0 {
        let sent = requests.recv_timeout(PATIENCE);
        let sent = sent.unwrap_or_else(|_| panic!("only {:?}", paths(&seen)));
        times -= usize::from(sent.0.ends_with(end));
        seen.push(sent);
    }
    seen
}

fn paths(seen: &[PostedRequest]) -> Vec<&str> {
    seen.iter().map(|(path, _)| path.as_str()).collect()
}

fn place(seen: &[PostedRequest], end: &str) -> Option<usize> {
    seen.iter().position(|(path, _)| path.ends_with(end))
}

/// What a collector received at a path.
fn export<T: Message + Default>(seen: &[PostedRequest], path: &str) -> T {
    let (_, body) = &seen[place(seen, path).expect("an export")];
    T::decode(body.as_slice()).expect("OTLP")
}

#[test]
fn telemetry_is_sent_before_the_next_invocation_is_asked_for() {
    let (address, requests) = serve();
    let _function = start(&address, &[("OTEL_LOGS_EXPORTER", "otlp")]);
    let seen = until(&requests, "/invocation/next", 2);
    let response = place(&seen, "/r-1/response");
    for signal in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
        let (sent, seen) = (place(&seen, signal), paths(&seen));
        assert!(response.is_some() && response < sent, "the response goes first: {seen:?}");
        assert!(sent < Some(seen.len() - 1), "{signal} before the next poll: {seen:?}");
    }

    let metrics: ExportMetricsServiceRequest = export(&seen, "/v1/metrics");
    let scopes = metrics.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
    let metrics: Vec<_> = scopes.flat_map(|scope| scope.metrics).collect();
    for name in ["process.cpu.time", "process.memory.usage"] {
        assert!(metrics.iter().any(|metric| metric.name == name), "{name} in {metrics:?}");
    }
    let duration = metrics.into_iter().find(|metric| metric.name == "http.server.request.duration");
    let Some(Data::Histogram(duration)) = duration.and_then(|metric| metric.data) else {
        panic!("a histogram")
    };
    assert_eq!(duration.data_points[0].count, 1, "the invocation that was answered");

    let spans: ExportTraceServiceRequest = export(&seen, "/v1/traces");
    let span = &spans.resource_spans[0].scope_spans[0].spans[0];
    let logs: ExportLogsServiceRequest = export(&seen, "/v1/logs");
    let scopes = logs.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
    let records: Vec<_> = scopes.flat_map(|scope| scope.log_records).collect();
    let own = records.iter().find(|record| record.span_id == span.span_id);
    let own = own.unwrap_or_else(|| panic!("no line of the App in {records:?}"));
    assert_eq!(own.trace_id, span.trace_id);
}

#[test]
fn signals_that_nobody_wants_are_not_sent() {
    let (address, requests) = serve();
    let _function = start(&address, &[("OTEL_METRICS_EXPORTER", "none")]);
    let seen = until(&requests, "/invocation/next", 2);
    let is_sent = |path| place(&seen, path).is_some();
    assert!(is_sent("/v1/traces") && !is_sent("/v1/metrics") && !is_sent("/v1/logs"));
}

#[test]
fn the_last_telemetry_is_sent_at_the_end() {
    let (address, requests) = serve();
    let mut function = start(&address, &[]);
    until(&requests, "/invocation/next", 2);
    assert!(function.stop().success());
    until(&requests, "/v1/metrics", 1);
}

#[test]
fn a_collector_that_never_answers_does_not_hold_the_end() {
    let (address, requests) = serve();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("bound"));
    let (tell, accepted) = channel();
    std::thread::spawn(move || silent.incoming().try_for_each(|socket| tell.send(socket)));
    let more = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", NEVER),
        ("OTEL_LOGS_EXPORTER", "otlp"),
    ];
    let mut function = start(&address, &more);
    until(&requests, "/r-1/response", 1);
    let _exports = [(); 3].map(|()| accepted.recv_timeout(PATIENCE).expect("an export"));
    assert!(function.stop().success());
}
