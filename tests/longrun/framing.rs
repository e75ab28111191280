//! The framing of HTTP/1.1 beside a plain axum service: how many ambiguous requests each handles safely.
//!
//! Long because the requests are one table.

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Instance;
use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use tokio::runtime::Runtime;

/// The permitted reactions to a request (RFC 9112).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// It is valid and must be answered, and what follows it too.
    Valid,
    /// It must be refused, and nothing behind it may be answered.
    Refused,
    /// It may be refused, or read in the one way that is allowed; then what follows it is answered too.
    Tolerable,
    /// It may be refused, or answered; nothing behind it may be answered.
    Last,
}

use Rule::{Last, Refused, Tolerable, Valid};

/// Lines of a head behind `Host`, what follows the head, and the rule.
type Case = (&'static str, &'static str, Rule);

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

/// Cases about chunks.
const CHUNKS: &[Case] = &[
    (CHUNKED, "1\r\na\r\n0\r\n\r\n", Valid),
    (CHUNKED, "3;a=\"b\"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n", Valid),
    (CHUNKED, "+1\r\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, "-1\r\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, "0x1\r\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, "1_0\r\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, " 1\r\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, "1 \r\na\r\n0\r\n\r\n", Tolerable),
    (CHUNKED, "\r\n1\r\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, "g\r\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, ";x\r\n\r\n", Refused),
    (CHUNKED, "10000000000000000\r\n", Refused),
    (CHUNKED, "fffffffffffffffff\r\n", Refused),
    (CHUNKED, "00000000000000000001\r\na\r\n0\r\n\r\n", Tolerable),
    (CHUNKED, "1\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, "1;x\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, "1;x=\"\n\"\r\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, "1\r\na\n0\r\n\r\n", Refused),
    (CHUNKED, "1\r\na\r0\r\n\r\n", Refused),
    (CHUNKED, "1\r\na\r\n0\n\r\n", Refused),
    (CHUNKED, "1\r\na\r\n0\r\n\n", Refused),
    (CHUNKED, "1\ra\r\n0\r\n\r\n", Refused),
    (CHUNKED, "1;\0\r\na\r\n0\r\n\r\n", Tolerable),
    (CHUNKED, "1;x\ry\r\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, "1\r\nab\r\n0\r\n\r\n", Refused),
    (CHUNKED, "2\r\na\r\n0\r\n\r\n", Refused),
    (CHUNKED, "0\r\na\r\n\r\n", Refused),
    (CHUNKED, "1\r\na0\r\n\r\n", Refused),
    (CHUNKED, "1\r\na\r\n\r\n0\r\n\r\n", Refused),
    (CHUNKED, "0\r\nx: 1\n\r\n", Refused),
    (CHUNKED, "0\r\nx\r\n\r\n", Refused),
    (CHUNKED, "0\r\n: 1\r\n\r\n", Refused),
    (CHUNKED, "0\r\nx : 1\r\n\r\n", Refused),
    (CHUNKED, "0\r\n x: 1\r\n\r\n", Refused),
    (CHUNKED, "0\r\n", Refused),
    (CHUNKED, "0\r\nx: \0\r\n\r\n", Refused),
    (CHUNKED, "0\r\nx: 1\r\n y\r\n\r\n", Refused),
];

/// Cases about what the head announces.
const HEADS: &[Case] = &[
    ("Content-Length: 3\r\n", "abc", Valid),
    ("Content-Length: 0\r\n", "", Valid),
    ("", "", Valid),
    ("", "\r\n", Valid),
    ("Transfer-Encoding:\tChunked \r\n", "1\r\na\r\n0\r\n\r\n", Valid),
    ("Content-Length: +1\r\n", "a", Refused),
    ("Content-Length: -1\r\n", "a", Refused),
    ("Content-Length: 1, 1\r\n", "a", Tolerable),
    ("Content-Length: 1, 2\r\n", "ab", Refused),
    ("Content-Length: 0x1\r\n", "a", Refused),
    ("Content-Length: 1 1\r\n", "a", Refused),
    ("Content-Length: \r\n", "", Refused),
    ("Content-Length: 1_0\r\n", "a", Refused),
    ("Content-Length: 99999999999999999999\r\n", "", Refused),
    ("Content-Length: 1;\r\n", "a", Refused),
    ("Content-Length: 1\r\nContent-Length: 2\r\n", "ab", Refused),
    ("Content-Length: 1\r\ncontent-length: 1\r\n", "a", Tolerable),
    ("Content-Length : 1\r\n", "a", Refused),
    ("Content-Length\r\n : 1\r\n", "a", Refused),
    ("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n", Tolerable),
    ("Transfer-Encoding: gzip\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding: identity\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding: \u{b}chunked\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", "0\r\n\r\n", Refused),
    ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", Tolerable),
    ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n", Last),
    ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", Last),
    ("Transfer-Encoding: chunked\r\nContent-Length: nonsense\r\n", "0\r\n\r\n", Last),
    ("X-A: 1\nX-B: 2\r\n", "", Tolerable),
    ("X-A: 1\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", Tolerable),
    ("X-A: 1\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n", Refused),
    ("X-A: 1\r\r\n", "", Refused),
    ("\n", "", Tolerable),
    ("X-A: 1\r\n\n", "", Tolerable),
    ("X-A: \0\r\n", "", Refused),
    ("X-A: 1\r\n\tfolded\r\n", "", Refused),
    ("X-A : 1\r\n", "", Refused),
    ("X A: 1\r\n", "", Refused),
    (": 1\r\n", "", Refused),
    ("nonsense\r\n", "", Refused),
    ("X-A\0: 1\r\n", "", Refused),
    ("\u{b}X-A: 1\r\n", "", Refused),
];

/// Sends a case in pieces with two requests behind it, and says what is wrong with the answers.
fn wrong(port: u16, case: &Case, piece: usize) -> Option<String> {
    let (head, rest, rule) = case;
    let next = "GET /next HTTP/1.1\r\nHost: h\r\n\r\nGET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let sent = format!("POST /own HTTP/1.1\r\nHost: h\r\n{head}\r\n{rest}{next}");
    let mut wire = Wire::to(port);
    sent.as_bytes().chunks(piece).for_each(|bytes| wire.offer(bytes));
    let mut statuses = Vec::new();
    while let Ok(answer) = wire.try_answer() {
        statuses.push(answer.status);
    }
    let refused = matches!(statuses.as_slice(), [] | [400..=599]);
    let safe = match rule {
        Valid => statuses == [200, 200, 200],
        Refused => refused,
        Tolerable => refused || statuses == [200, 200, 200],
        Last => refused || statuses == [200],
    };
    (!safe).then(|| format!("{head:?} {rest:?}: {statuses:?}, but {rule:?}"))
}

/// Every case that a server handles unsafely, whole and byte by byte.
fn unsafe_cases(port: u16) -> Vec<String> {
    let cases = CHUNKS.iter().chain(HEADS);
    cases
        .filter_map(|case| wrong(port, case, usize::MAX).or_else(|| wrong(port, case, 1)))
        .collect()
}

/// axum as its guide starts it, with a handler that reads the body.
async fn axum_service(listener: tokio::net::TcpListener) {
    let handler = async |body: Body| match axum::body::to_bytes(body, 1 << 20).await {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string().into()),
    };
    let _ = axum::serve(listener, Router::new().fallback(handler)).await;
}

#[test]
fn as_many_requests_are_framed_safely_as_by_axum_and_none_is_not() {
    let ours = Instance::start("echo-paas", &[]);
    let runtime = Runtime::new().expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    runtime.spawn(axum_service(listener));
    let (ours, axum) = (unsafe_cases(ours.port), unsafe_cases(port));
    let count = CHUNKS.len() + HEADS.len();
    println!("of {count} requests anyhost handles {} safely", count - ours.len());
    println!(
        "of {count} requests axum handles {} safely; the others: {axum:#?}",
        count - axum.len()
    );
    assert!(ours.is_empty(), "{ours:#?}");
    // axum is the control: the cases find faults in a server that is in wide use.
    assert!(!axum.is_empty());
}
