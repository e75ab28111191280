//! Bodies that are large, slow, wrong or unread.

use crate::client::PATIENCE;
use crate::running::Running;
use crate::subject::CANCELLED;

#[tokio::test(flavor = "multi_thread")]
async fn a_body_comes_whole_however_it_is_sent() {
    let server = Running::with(&[]).await;
    for size in [1, 1000, 16 * 1024, 16 * 1024 + 1, 1 << 20] {
        let mut client = server.connect().await;
        let body = vec![b'x'; size];
        client
            .send(format!("POST /back HTTP/1.1\r\nhost: test\r\ncontent-length: {size}\r\n\r\n"))
            .await;
        client.send(&body).await;
        let answer = client.answer().await;
        assert_eq!(answer.header("content-length"), Some(size.to_string().as_str()));
        assert!(answer.body == body, "{size} bytes come back as they were");
    }
    let mut client = server.connect().await;
    client
        .send("POST /back HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        .await;
    client.send("4;ext=1\r\ndefg\r\n0\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.text(), "abcdefg");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_413() {
    let server = Running::with(&[("MAX_BODY", "1M")]).await;
    let mut client = server.connect().await;
    client.send("POST /count HTTP/1.1\r\nhost: test\r\ncontent-length: 1048576\r\n\r\n").await;
    client.send(vec![0; 1 << 20]).await;
    assert_eq!(client.answer().await.text(), "1048576");
    client.send("POST /count HTTP/1.1\r\nhost: test\r\ncontent-length: 1048577\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));

    let mut client = server.connect().await;
    client
        .send("POST /count HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n100001\r\n")
        .await;
    client.send(vec![0; 0x100001]).await;
    assert_eq!(client.answer().await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_leaves_the_body_does_not_hurt_the_next_request() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client.send("POST /ignore HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\nhello").await;
    assert_eq!(client.answer().await.text(), "ignored");
    client
        .send("POST /ignore HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.text(), "ignored");
    assert_eq!(client.get("/").await.status, 200);
    // A large one ends the connection instead of being swallowed, and the answer still arrives.
    client.send("POST /ignore HTTP/1.1\r\nhost: test\r\ncontent-length: 5000000\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.text(), answer.header("connection")), ("ignored", Some("close")));
}

/// A client that sends everything before it reads. A server that closes at once resets it in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_on_after_the_answer_can_read_it() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client.send("POST /ignore HTTP/1.1\r\nhost: test\r\ncontent-length: 5000000\r\n\r\n").await;
    client.send(vec![0; 5_000_000]).await;
    assert_eq!(client.answer().await.text(), "ignored");
}

/// RFC 9110 §10.1.1: the final status can come in place of 100.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_wants_is_not_asked_for() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client
        .send("POST /ignore HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 50000\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_breaks_off_is_seen_to_break_off() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client.send("GET /break HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let rest = client.try_answer().await.expect_err("no clean end");
    assert_eq!(rest, b"", "the chunk before the error came");
    // Fewer bytes than announced, and more.
    let mut client = server.connect().await;
    client.send("GET /ten/4 HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert_eq!(client.try_answer().await.expect_err("six bytes are missing"), b"0000");
    let mut client = server.connect().await;
    assert_eq!(client.get("/ten/40").await.text(), "0000000000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_is_sent_as_it_is_made() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    // The body takes an hour: the head does not wait for it.
    client.send("GET /drip/600000 HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let mut first = [0; 1];
    let head = tokio::io::AsyncReadExt::read_exact(&mut client.stream, &mut first);
    tokio::time::timeout(PATIENCE, head).await.expect("in time").expect("a head");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_coming_is_408() {
    let server = Running::with(&[("BODY_TIMEOUT", "200ms")]).await;
    for length in [10, 100_000] {
        let mut client = server.connect().await;
        client
            .send(format!(
                "POST /count HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\nx"
            ))
            .await;
        assert_eq!(client.answer().await.status, 408, "{length}");
        assert!(client.closed().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_cancels_its_request() {
    let server = Running::with(&[]).await;
    for (path, request) in [
        ("/slow/60000/gone", "GET PATH HTTP/1.1\r\nhost: test\r\n\r\n"),
        ("/slow/60000/old", "GET PATH HTTP/1.0\r\nhost: test\r\nconnection: keep-alive\r\n\r\n"),
        ("/slow/60000/body", "POST PATH HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\n{}"),
        (
            "/slow/60000/more",
            "GET PATH HTTP/1.1\r\nhost: test\r\n\r\nGET / HTTP/1.1\r\nhost: test\r\n\r\n",
        ),
        (
            "/slow/60000/upgrade",
            "GET PATH HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ),
    ] {
        let mut client = server.connect().await;
        client.send(request.replace("PATH", path)).await;
        while server.host.lifecycle().in_flight() == 0 {
            tokio::task::yield_now().await;
        }
        drop(client);
        server.host.lifecycle().wait_idle().await;
        let cancelled = CANCELLED.lock().expect("nobody panics with it");
        assert!(cancelled.iter().any(|own| own == path), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_only_stops_sending_gets_its_answers() {
    let server = Running::with(&[]).await;
    let request = "GET /slow/100 HTTP/1.1\r\nhost: test\r\n\r\n";
    for count in [1, 2] {
        let mut client = server.connect().await;
        client.send(request.repeat(count)).await;
        tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await.expect("half closed");
        for _ in 0..count {
            assert_eq!(client.answer().await.text(), "slow");
        }
        assert!(client.closed().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_504() {
    let server = Running::with(&[("REQUEST_TIMEOUT", "100ms")]).await;
    let mut client = server.connect().await;
    assert_eq!(client.get("/slow/60000").await.status, 504);
    // A response that has begun is not cut.
    assert_eq!(client.get("/drip/100").await.text(), ".....");
}

/// On Heroku the request's time is over before that of its body.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_holds_its_body_back_until_the_request_takes_too_long_is_408() {
    let server = Running::with(&[("REQUEST_TIMEOUT", "100ms")]).await;
    for (path, status) in [("/count", 408), ("/slow/60000", 504)] {
        let mut client = server.connect().await;
        let head = format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\nx");
        client.send(head).await;
        assert_eq!(client.answer().await.status, status, "{path}");
        assert!(client.closed().await);
    }
}
