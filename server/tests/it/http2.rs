//! HTTP/2: the limits of HTTP/1.1 hold for each of its requests, and its end loses none of them.
//!
//! Long because the clients that mean harm write frames of their own.

use std::net::SocketAddr;
use std::time::Duration;

use anyhost_core::adapter::Exit;
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{PingPong, Reason, SendStream, client};
use http::{Request, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::Client;
use crate::running::Running;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// `GET / HTTP/2` of the host `test`, as HPACK has it.
const GET: &[u8] = b"\x82\x84\x86\x41\x04test";

/// Longer than anything a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client by h2, whose connection runs beside it.
pub(crate) struct H2 {
    sender: SendRequest<Bytes>,
    ping: PingPong,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// Status, `retry-after` and body.
pub(crate) type Answer = (StatusCode, Option<String>, Result<String, h2::Error>);

impl H2 {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        let (sender, mut connection) = client::handshake(stream).await.expect("HTTP/2");
        let ping = connection.ping_pong().expect("taken once");
        Self { sender, ping, connection: tokio::spawn(connection) }
    }

    pub(crate) async fn begin(
        &mut self,
        path: &str,
        ends: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        self.try_begin(path, ends).await.expect("a stream more")
    }

    async fn try_begin(
        &mut self,
        path: &str,
        ends: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let request = Request::builder().method(if ends { "GET" } else { "POST" });
        let request = request.uri(format!("http://test{path}")).body(()).expect("a request");
        std::future::poll_fn(|cx| self.sender.poll_ready(cx)).await?;
        self.sender.send_request(request, ends)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let (answer, _) = self.begin(path, true).await;
        read(answer).await
    }

    /// Waits until the server has read everything that was sent.
    pub(crate) async fn ping(&mut self) {
        let pong = self.ping.ping(h2::Ping::opaque());
        timeout(PATIENCE, pong).await.expect("a pong in time").expect("a pong");
    }

    /// How the connection came to its end.
    async fn ended(self) -> Result<(), h2::Error> {
        timeout(PATIENCE, self.connection).await.expect("it ends").expect("it does not panic")
    }
}

pub(crate) async fn read(answer: ResponseFuture) -> Answer {
    let (parts, mut body) =
        timeout(PATIENCE, answer).await.expect("an answer").expect("an answer").into_parts();
    let mut all = Vec::new();
    let body = loop {
        match timeout(PATIENCE, body.data()).await.expect("it goes on") {
            Some(Ok(chunk)) => {
                body.flow_control().release_capacity(chunk.len()).expect("it was taken");
                all.extend_from_slice(&chunk);
            }
            Some(Err(error)) => break Err(error),
            None => break Ok(String::from_utf8(all).expect("a text")),
        }
    };
    let wait = parts.headers.get("retry-after").and_then(|value| value.to_str().ok());
    (parts.status, wait.map(str::to_owned), body)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// What the last frame of a connection says, and why: its kind and the code of a GOAWAY.
async fn last_word(client: &mut Client) -> Option<(u8, u32)> {
    let mut bytes = Vec::new();
    let read = client.stream.read_to_end(&mut bytes);
    // A connection that is reset has said what it said.
    let _ = timeout(PATIENCE, read).await.expect("the connection ends");
    let mut rest = bytes.as_slice();
    let mut last = None;
    while let Some((head, behind)) = rest.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some(payload) = behind.get(..length) else { break };
        let code = payload.get(4..8).and_then(|code| code.try_into().ok());
        last = Some((head[3], code.map_or(0, u32::from_be_bytes)));
        rest = &behind[length..];
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_finishes_streams_and_refuses_new_ones_so_that_they_are_sent_again() {
    let mut server = Running::with(&[]).await;
    let mut idle = H2::to(server.address).await;
    assert_eq!(idle.get("/").await.0, 200);
    let mut busy = H2::to(server.address).await;
    let (slow, _) = busy.begin("/slow/600", true).await;
    let (dripping, _) = busy.begin("/drip/100", true).await;
    while server.host.lifecycle().in_flight() < 2 {
        tokio::task::yield_now().await;
    }
    server.say_stop();
    // It is told with GOAWAY and no error, and has lost nothing.
    assert!(idle.ended().await.is_ok());
    let refused = loop {
        match busy.try_begin("/late", true).await {
            Err(error) => break error,
            // Sent before the client could know: answered, or known not to be.
            Ok((answer, _)) => match answer.await {
                Ok(answer) => assert_eq!(answer.status(), 200),
                Err(error) => break error,
            },
        }
    };
    let safe = refused.is_go_away() || refused.reason() == Some(Reason::REFUSED_STREAM);
    assert!(safe && refused.reason() != Some(Reason::INTERNAL_ERROR), "{refused:?}");
    let (slow, dripping) = tokio::join!(read(slow), read(dripping));
    assert_eq!(slow.2.expect("whole"), "slow");
    assert_eq!(dripping.2.expect("whole"), ".....");
    assert!(busy.ended().await.is_ok());
    let drained = server.end().await;
    assert_eq!((drained.in_flight, drained.aborted, drained.exit()), (2, 0, Exit::Done));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_has_a_deadline_of_its_own() {
    let server = Running::with(&[("REQUEST_TIMEOUT", "100ms"), ("BODY_TIMEOUT", "200ms")]).await;
    let mut client = H2::to(server.address).await;
    let (late, _) = client.begin("/slow/60000", true).await;
    assert_eq!(client.get("/").await.0, 200);
    assert_eq!(read(late).await.0, 504);
    let patient = Running::with(&[("BODY_TIMEOUT", "200ms")]).await;
    let mut client = H2::to(patient.address).await;
    let (stuck, mut body) = client.begin("/count", false).await;
    body.send_data(Bytes::from_static(b"x"), false).expect("it takes a byte");
    assert_eq!(read(stuck).await.0, 408);
    // The connection stays usable.
    assert_eq!(client.get("/").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_on_one_connection_count_each_for_itself() {
    let server = Running::with(&[("MAX_IN_FLIGHT", "2")]).await;
    let mut client = H2::to(server.address).await;
    // Their heads are here, so the App has them: they are not refused for the third.
    let (first, mut cancels_first) = client.begin("/drip/60000", true).await;
    let (second, mut cancels_second) = client.begin("/drip/60000", true).await;
    let bodies = [first.await.expect("a head"), second.await.expect("a head")];
    let (status, wait, _) = client.get("/").await;
    assert_eq!((status.as_u16(), wait.as_deref()), (503, Some("1")));
    assert_eq!(client.get("/livez").await.0, 200);
    cancels_first.send_reset(Reason::CANCEL);
    cancels_second.send_reset(Reason::CANCEL);
    drop(bodies);
    server.host.lifecycle().wait_idle().await;
    assert_eq!(client.get("/").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_that_come_at_once_only_the_excess_is_refused() {
    let server = Running::with(&[("MAX_IN_FLIGHT", "2")]).await;
    let mut client = H2::to(server.address).await;
    for round in 0..20 {
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(client.begin("/drip/60000", true).await);
        }
        let mut refused = 0;
        let mut bodies = Vec::new();
        for (answer, stream) in answers {
            let answer = answer.await.expect("a head");
            refused += usize::from(answer.status() == StatusCode::SERVICE_UNAVAILABLE);
            bodies.push((answer, stream));
        }
        assert_eq!(refused, 4, "round {round}");
        for (_, stream) in &mut bodies {
            stream.send_reset(Reason::CANCEL);
        }
        drop(bodies);
        server.host.lifecycle().wait_idle().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_resets_its_stream_cancels_its_request() {
    let server = Running::with(&[]).await;
    let mut client = H2::to(server.address).await;
    let (answer, mut stream) = client.begin("/slow/60000/reset", true).await;
    while server.host.lifecycle().in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    stream.send_reset(Reason::CANCEL);
    drop(answer);
    server.host.lifecycle().wait_idle().await;
    assert_eq!(client.get("/").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_which_nothing_is_taken_is_reset_and_the_others_go_on() {
    let server = Running::with(&[("SEND_TIMEOUT", "300ms")]).await;
    let mut client = H2::to(server.address).await;
    let (stuck, _) = client.begin("/send/64", true).await;
    let mut body = stuck.await.expect("a head").into_body();
    // The window of the stream is as large as that of the connection: it stays shut until this.
    let mut taken = 0;
    let error = loop {
        match timeout(PATIENCE, body.data()).await.expect("it ends") {
            // Nothing is said to have been taken.
            Some(Ok(chunk)) => taken += chunk.len(),
            Some(Err(error)) => break error,
            None => panic!("{taken} bytes, and no more wanted"),
        }
    };
    assert_eq!(error.reason(), Some(Reason::CANCEL));
    let mut flow = body.flow_control().clone();
    drop(body);
    let _ = flow.release_capacity(taken);
    assert_eq!(client.get("/").await.2.map(|text| text.starts_with("GET")).ok(), Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_431() {
    let server = Running::with(&[]).await;
    let mut client = H2::to(server.address).await;
    let large = Request::get("http://test/").header("x-large", "a".repeat(140_000));
    let many = (0..100).fold(Request::get("http://test/"), |request, number| {
        request.header(format!("x-{number}"), "1")
    });
    for request in [large, many] {
        std::future::poll_fn(|cx| client.sender.poll_ready(cx)).await.expect("it goes on");
        let request = request.body(()).expect("a request");
        let (answer, _) = client.sender.send_request(request, true).expect("a stream more");
        assert_eq!(answer.await.expect("an answer").status(), 431);
    }
    assert_eq!(client.get("/").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_to_its_end_ends_its_connection() {
    let server = Running::with(&[("HEADER_TIMEOUT", "300ms")]).await;
    let cut = &frame(1, 5, 1, GET)[..12];
    // Headers whose end is left open are no more a head than headers that are cut.
    for begun in [&b""[..], cut, &frame(1, 1, 1, GET)] {
        let mut client = server.connect().await;
        client.send(PREFACE).await;
        client.send(begun).await;
        last_word(&mut client).await;
    }
    assert_eq!(server.connect().await.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_told_goodbye() {
    let server = Running::with(&[("KEEP_ALIVE", "300ms")]).await;
    let mut client = H2::to(server.address).await;
    assert_eq!(client.get("/").await.0, 200);
    assert!(client.ended().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_resets_ends_its_connection_alone() {
    let server = Running::with(&[]).await;
    let mut flood = server.connect().await;
    let mut bytes = PREFACE.to_vec();
    for stream in (1..4001).step_by(2) {
        bytes.extend(frame(1, 5, stream, GET));
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    // It may be closed before all of it is written.
    let _ = tokio::io::AsyncWriteExt::write_all(&mut flood.stream, &bytes).await;
    let (goaway, calm) = (7, 11);
    assert_eq!(last_word(&mut flood).await, Some((goaway, calm)));
    server.host.lifecycle().wait_idle().await;
    assert_eq!(H2::to(server.address).await.get("/").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_headers_without_an_end_ends_its_connection_alone() {
    let server = Running::with(&[]).await;
    let mut flood = server.connect().await;
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(1, 1, 1, GET));
    // Each a header of its own, literal and not kept: `x: 1`.
    let more = b"\0\x01x\x011".repeat(3000);
    for _ in 0..1000 {
        bytes.extend(frame(9, 0, 1, &more));
    }
    let _ = tokio::io::AsyncWriteExt::write_all(&mut flood.stream, &bytes).await;
    last_word(&mut flood).await;
    assert_eq!(H2::to(server.address).await.get("/").await.0, 200);
}

/// A header that is literal and not kept (RFC 7541 §6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).expect("a short text"));
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// Sends one request in its own connection and returns whether it is refused: a status of 4xx, a reset or a goodbye.
async fn is_refused(server: &Running, headers: &[(&str, &str)], body: Option<&[u8]>) -> bool {
    let mut client = server.connect().await;
    let block: Vec<u8> = headers.iter().flat_map(|(name, value)| literal(name, value)).collect();
    client.send([PREFACE, &frame(1, 4 | u8::from(body.is_none()), 1, &block)].concat()).await;
    if let Some(body) = body {
        client.send(frame(0, 1, 1, body)).await;
    }
    loop {
        let mut head = [0; 9];
        let read = client.stream.read_exact(&mut head);
        if timeout(PATIENCE, read).await.expect("an answer or the end").is_err() {
            return true;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        client.stream.read_exact(&mut payload).await.expect("a whole frame");
        match (head[3], head[8]) {
            // The status comes first, 200 as an index (RFC 7541 appendix A).
            (1, 1) => return payload.first() != Some(&0x88),
            (3, 1) | (7, _) => return true,
            _ => {}
        }
    }
}

/// RFC 9113 §8: what is malformed never reaches the App, whoever finds it out.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_request_is_refused() {
    let server = Running::with(&[]).await;
    let whole = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "test")];
    assert!(!is_refused(&server, &whole, None).await, "the control");
    let with = |name, value| [&whole[..], &[(name, value)]].concat();
    let but = |name: &str, value| {
        let mut headers = whole.to_vec();
        headers.iter_mut().filter(|(own, _)| *own == name).for_each(|header| header.1 = value);
        headers
    };
    let without = |name: &str| {
        let mut headers = whole.to_vec();
        headers.retain(|(own, _)| *own != name);
        headers
    };
    let mut taken = Vec::new();
    for (clause, headers) in [
        ("8.2.1, an upper-case name", with("X-A", "1")),
        ("8.2.1, a line feed in a value", with("x-a", "1\n2")),
        ("8.2.1, a name with a space", with("x a", "1")),
        ("8.2.2, connection", with("connection", "keep-alive")),
        ("8.2.2, transfer-encoding", with("transfer-encoding", "chunked")),
        ("8.2.2, upgrade", with("upgrade", "h2c")),
        ("8.2.2, te", with("te", "gzip")),
        ("8.3, an unknown pseudo-header", with(":x", "1")),
        ("8.3, one of a response", with(":status", "200")),
        ("8.3, one twice", with(":path", "/b")),
        ("8.3, one behind a header", [&[("x-a", "1")][..], &whole].concat()),
        ("8.3.1, no method", without(":method")),
        ("8.3.1, no scheme", without(":scheme")),
        ("8.3.1, no path", without(":path")),
        ("8.3.1, an empty path", but(":path", "")),
        ("8.3.1, a path without a slash", but(":path", "a")),
        ("8.3.1, an asterisk for GET", but(":path", "*")),
        ("8.3.1, no authority and no host", without(":authority")),
        ("8.3.1, another host", with("host", "other")),
        ("8.3.1, a user in the authority", but(":authority", "user@test")),
        ("8.3.1, a path in the authority", but(":authority", "test/a")),
        ("8.5, CONNECT without a protocol", but(":method", "CONNECT")),
    ] {
        if !is_refused(&server, &headers, None).await {
            taken.push(clause);
        }
    }
    for (clause, length) in [
        ("8.1.1, a body longer than its length", "1"),
        ("8.1.1, a body shorter than its length", "9"),
        ("8.1.1, a length that is no number", "2a"),
        ("8.6 of RFC 9110, a list of lengths", "2, 2"),
        ("8.6 of RFC 9110, two lengths", "2"),
    ] {
        let times = if clause.ends_with("two lengths") { 2 } else { 1 };
        let headers =
            [&but(":method", "POST")[..], &[("content-length", length)].repeat(times)].concat();
        let headers: Vec<_> = headers
            .iter()
            .map(|header| if header.0 == ":path" { (":path", "/count") } else { *header })
            .collect();
        if !is_refused(&server, &headers, Some(b"ab")).await {
            taken.push(clause);
        }
    }
    assert!(taken.is_empty(), "{taken:#?}");
    // The one exception of the README: the crate `http` cuts a fragment off before anybody can see it.
    assert!(!is_refused(&server, &but(":path", "/a#b"), None).await);
    assert_eq!(H2::to(server.address).await.get("/").await.0, 200);
}
