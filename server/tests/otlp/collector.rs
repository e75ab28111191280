//! A collector: what is posted to it, by signal.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use prost::Message;

use crate::PATIENCE;

const TAKEN: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

/// One export.
pub(crate) struct Export {
    pub(crate) path: String,
    /// The headers, in small letters.
    pub(crate) head: String,
    body: Vec<u8>,
}

/// A collector on a port of this machine.
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    exports: Receiver<Export>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        let (tell, exports) = channel();
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let tell = tell.clone();
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(socket.try_clone().expect("a socket"));
                    let mut socket = socket;
                    while let Some(export) = export(&mut reader) {
                        // The test may have seen enough.
                        let _ = tell.send(export);
                        if socket.write_all(TAKEN).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { endpoint, exports }
    }

    /// The next export of any signal.
    pub(crate) fn next(&self) -> Export {
        self.exports.recv_timeout(PATIENCE).expect("an export comes")
    }

    /// What has come so far: of a process that has ended, everything.
    pub(crate) fn so_far(&self) -> Vec<Export> {
        self.exports.try_iter().collect()
    }
}

impl Export {
    pub(crate) fn spans(&self) -> Option<ExportTraceServiceRequest> {
        self.of("/v1/traces")
    }

    pub(crate) fn metrics(&self) -> Option<ExportMetricsServiceRequest> {
        self.of("/v1/metrics")
    }

    pub(crate) fn logs(&self) -> Option<ExportLogsServiceRequest> {
        self.of("/v1/logs")
    }

    fn of<T: Message + Default>(&self, path: &str) -> Option<T> {
        (self.path == path).then(|| T::decode(self.body.as_slice()).expect("OTLP"))
    }
}

fn export(reader: &mut impl BufRead) -> Option<Export> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let path = first.strip_prefix("POST ")?.split(' ').next()?.to_owned();
    let (mut length, mut head) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.to_ascii_lowercase();
        match line.trim_end().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().expect("a length"),
            Some(_) => head.push_str(&line),
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Export { path, head, body })
}

/// The value of an attribute.
pub(crate) fn said(attributes: &[KeyValue], key: &str) -> Option<Value> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.clone()?.value
}

pub(crate) fn text(text: &str) -> Option<Value> {
    Some(Value::StringValue(text.into()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
