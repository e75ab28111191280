//! Requests that are meant to be understood differently by two servers, and clients that take their time.

use crate::running::Running;

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_request_is_400_and_the_end_of_its_connection() {
    let server = Running::with(&[]).await;
    let cases: &[(&str, &[u8])] = &[
        ("a raw space in the target", b"GET /a b HTTP/1.1\r\nhost: t\r\n\r\n"),
        ("no host", b"GET / HTTP/1.1\r\n\r\n"),
        ("two hosts", b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"),
        ("a host that is none", b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n"),
        ("a host with a path", b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n"),
        ("a host with a user", b"GET / HTTP/1.1\r\nhost: a@b\r\n\r\n"),
        ("length and chunks", b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("chunks and length", b"POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n"),
        ("two lengths", b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
        ("a list of lengths", b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 3, 3\r\n\r\nabc"),
        ("a negative length", b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: -1\r\n\r\n"),
        ("a signed length", b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: +3\r\n\r\nabc"),
        ("an unknown coding", b"POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: xchunked\r\n\r\n"),
        ("a coding after chunked", b"POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked, gzip\r\n\r\n"),
        ("a folded header", b"GET / HTTP/1.1\r\nhost: t\r\nx-a: 1\r\n  2\r\n\r\n"),
        ("a space before the colon", b"GET / HTTP/1.1\r\nhost: t\r\ncontent-length : 3\r\n\r\nabc"),
        ("a bare line feed", b"GET / HTTP/1.1\r\nhost: t\r\nx-a: 1\nx-b: 2\r\n\r\n"),
        ("bare line feeds alone", b"GET / HTTP/1.1\nhost: t\n\n"),
        ("a bare carriage return", b"GET / HTTP/1.1\r\nhost: t\r\nx-a: 1\rx-b: 2\r\n\r\n"),
        ("a carriage return before the request", b"\rGET / HTTP/1.1\r\nhost: t\r\n\r\n"),
        ("a fragment in the target", b"GET /a#b HTTP/1.1\r\nhost: t\r\n\r\n"),
        ("a zero byte", b"GET / HTTP/1.1\r\nhost: t\r\nx-a: 1\x002\r\n\r\n"),
        ("no version", b"GET /\r\nhost: t\r\n\r\n"),
        ("bytes that are no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    ];
    let mut wrong = Vec::new();
    for (name, bytes) in cases {
        let mut client = server.connect().await;
        client.send(bytes).await;
        match client.try_answer().await {
            Ok(answer) if answer.status == 400 && client.closed().await => {}
            other => wrong.push(format!("{name}: {:?}", other.map(|answer| answer.head))),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_431() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: t\r\nx-long: ").await;
    client.send(vec![b'a'; 200_000]).await;
    assert_eq!(client.answer().await.status, 431);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_comes_too_slowly_is_408() {
    let server = Running::with(&[("HEADER_TIMEOUT", "300ms")]).await;
    // On a new connection, and on one that has served a request before.
    for warm in [false, true] {
        let mut client = server.connect().await;
        if warm {
            assert_eq!(client.get("/").await.status, 200);
        }
        client.send("GET / HTTP/1.1\r\nhost:").await;
        assert_eq!(client.answer().await.status, 408, "warm: {warm}");
        assert!(client.closed().await);
    }
    // A connection without a byte is closed without an answer: a router may open connections ahead of time.
    assert!(server.connect().await.closed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_kept_as_long_as_configured() {
    let (short, long) = (&[("KEEP_ALIVE", "500ms")], &[("KEEP_ALIVE", "10m")]);
    let (short, long) = (Running::with(short).await, Running::with(long).await);
    let (mut client, mut control) = (short.connect().await, long.connect().await);
    assert_eq!(control.get("/").await.status, 200);
    assert_eq!(client.get("/").await.status, 200);
    assert!(client.closed().await);
    assert_eq!(control.get("/").await.status, 200, "it is still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_let_go() {
    let server = Running::with(&[("SEND_TIMEOUT", "300ms")]).await;
    let mut client = server.connect().await;
    client.send("GET /send/64 HTTP/1.1\r\nhost: t\r\n\r\n").await;
    while server.host.lifecycle().in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    server.host.lifecycle().wait_idle().await;
    drop(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_allowed_are_shed_at_once() {
    let server = Running::with(&[("MAX_IN_FLIGHT", "1")]).await;
    let mut busy = server.connect().await;
    busy.send("GET /drip/60000 HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(busy.head_answer().await.status, 200);
    let mut client = server.connect().await;
    let answer = client.get("/").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(client.get("/livez").await.status, 200);
    drop(busy);
    server.host.lifecycle().wait_idle().await;
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_far_ahead_of_its_answers_waits_and_loses_nothing() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client.send("GET /slow/300 HTTP/1.1\r\nhost: t\r\n\r\n").await;
    let many = 10_000;
    let requests = "GET /n HTTP/1.1\r\nhost: t\r\n\r\n".repeat(many);
    let (mut read, mut write) = client.stream.into_split();
    let sending = tokio::spawn(async move {
        tokio::io::AsyncWriteExt::write_all(&mut write, requests.as_bytes()).await
    });
    let mut text = Vec::new();
    let mut answered = 0;
    while answered < many + 1 {
        let had = text.len().saturating_sub(12);
        let more = tokio::io::AsyncReadExt::read_buf(&mut read, &mut text).await.expect("readable");
        assert!(more > 0, "{answered} answers, then the end");
        answered += text[had..].windows(13).filter(|bytes| *bytes == b"HTTP/1.1 200 ").count();
    }
    sending.await.expect("no panic").expect("everything is read");
}

/// The client has not taken the response yet when the next request is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_follows_the_response_before_it() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client.send("GET /whole/16 HTTP/1.1\r\nhost: t\r\n\r\nGET / HTTP/1.1\nhost: t\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.len()), (200, 16 << 20));
    assert!(answer.body.iter().all(|byte| *byte == b'0'));
    let refused = client.answer().await;
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.status, 400);
    assert!(client.closed().await);
}
