//! HTTP/1.1 requests as the bytes that a client writes.

use crate::Request;

/// The bytes of a request to this host, unless it names another; the connection ends with the response.
#[must_use]
pub fn written(request: &Request, host: &str) -> Vec<u8> {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
    let mut line = |name: &str, value: &[u8]| {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    };
    if request.first("host").is_none() {
        line("Host", host.as_bytes());
    }
    for (name, value) in &request.headers {
        line(name, value);
    }
    if request.first("connection").is_none() {
        line("Connection", b"close");
    }
    if request.chunked {
        line("Transfer-Encoding", b"chunked");
    } else if request.says_its_length() && request.first("content-length").is_none() {
        line("Content-Length", request.body.len().to_string().as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    if request.chunked {
        // Pieces of uneven sizes, so that no parser can rely on where a read ends.
        for piece in request.body.chunks((request.body.len() / 5).max(7)) {
            bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
    } else {
        bytes.extend_from_slice(&request.body);
    }
    bytes
}
