//! What an App sees of a request, and what a client sees of a response.

use crate::running::Running;

#[tokio::test(flavor = "multi_thread")]
async fn the_target_is_untouched() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    for target in [
        "//x",
        "/a/../b",
        "/%2F",
        "/100%/x",
        r"/a\b",
        "/a|b^c",
        "/?",
        "/?a&b=&=c",
        "/a;b=1?c=%zz",
        "/x?a=b?c",
        "/~u/%7Eu",
        "/x?q=`{}",
    ] {
        let answer = client.get(target).await;
        assert_eq!(answer.status, 200, "{target}");
        let expected = format!("GET {target} 1.1");
        assert_eq!(answer.text().lines().next(), Some(expected.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_keep_their_order_and_their_bytes() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client
        .send(
            b"GET / HTTP/1.1\r\nHost: test\r\nX-B: 2\r\nX-Note: first\r\nX-A: caf\xc3\xa9\r\n\
              X-Note: second\r\nX-L: caf\xe9\r\nX-Empty:\r\nConnection: keep-alive, X-Hop\r\n\
              X-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\n\r\n",
        )
        .await;
    let answer = client.answer().await;
    let seen: Vec<_> = answer.text().lines().skip(1).filter(|line| line.contains(": ")).collect();
    let expected = [
        "host: test",
        "x-b: 2",
        "x-note: first",
        "x-note: second",
        r"x-a: caf\xc3\xa9",
        r"x-l: caf\xe9",
        "x-empty: ",
        "x-hop: 1",
    ];
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    let mut wanted = expected.to_vec();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted);
    let position = |line: &str| seen.iter().position(|seen| *seen == line);
    assert!(position("x-b: 2") < position("x-note: first"));
    assert!(position("x-note: second") < position(r"x-a: caf\xc3\xa9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_says_who_asks_for_what() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client
        .send(
            "GET http://abs.example:81/p?q HTTP/1.1\r\nhost: other\r\nx-request-id: mine\r\n\
             traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
        )
        .await;
    let answer = client.answer().await;
    assert!(answer.text().starts_with("GET /p?q 1.1\n"), "{}", answer.text());
    let line = answer.text().lines().last().expect("the line of the context");
    let (caller, rest) = line.split_once(" id=").expect("an id");
    let (id, trace) = rest.split_once(' ').expect("a trace");
    assert_eq!(caller, r#"ip=Some(127.0.0.1) scheme=http host=Some("abs.example:81")"#);
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(trace, r#"trace="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01""#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_has_the_body_its_method_and_status_allow() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client.send("HEAD /status/200 HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let answer = client.head_answer().await;
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("6")));
    for status in [204, 304] {
        let answer = client.get(&format!("/status/{status}")).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-length"), None);
        assert_eq!(answer.header("transfer-encoding"), None);
    }
    let answer = client.get("/cookies").await;
    assert_eq!(answer.headers("set-cookie"), ["a=1", "b=2"]);
    let answer = client.get("/panic").await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    // The connection has lived through all of it.
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http_1_0_gets_a_body_that_ends_with_the_connection() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client.send("GET /drip/1 HTTP/1.0\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.text(), ".....");
    // A client that is told keep-alive would wait for the end of the body (RFC 9112 §6.3).
    let mut client = server.connect().await;
    client.send("GET /drip/1 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.text(), ".....");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_come_at_once_are_answered_in_order() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client
        .send(
            "GET /slow/50 HTTP/1.1\r\nhost: test\r\n\r\n\
             POST /count HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc\
             GET /last HTTP/1.1\r\nhost: test\r\n\r\n",
        )
        .await;
    assert_eq!(client.answer().await.text(), "slow");
    assert_eq!(client.answer().await.text(), "3");
    assert!(client.answer().await.text().starts_with("GET /last"));
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_before_the_app() {
    let server = Running::starting(&[("START_TAKES", "200ms")]);
    let mut client = server.connect().await;
    assert_eq!(client.get("/livez").await.status, 200);
    assert_eq!(client.get("/readyz").await.status, 503);
    let early = client.get("/").await;
    assert_eq!((early.status, early.header("retry-after")), (503, Some("1")));
    assert_eq!(early.header("content-type"), Some("application/problem+json"));
    server.host.lifecycle().wait_for(anyhost_core::Phase::Ready).await;
    client.send("GET /readyz HTTP/1.1\r\nhost: 10.0.0.5:8080\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    let mut old = server.connect().await;
    old.send("GET /readyz HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.answer().await.status, 200);
}

/// A server may ignore an offer to go on with another protocol (RFC 9110 §7.8), and the connection goes on.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_is_not_offered_is_an_ordinary_request() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    client
        .send("GET /chat HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: irc/6.9\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, None));
    assert!(answer.text().starts_with("GET /chat 1.1\n"));
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_repeated_are_those_that_were_sent() {
    let server = Running::with(&[]).await;
    let mut client = server.connect().await;
    // The same lines several times, then others, alone and many at once.
    for (number, value) in [1, 1, 1, 2, 2, 1, 1, 3].into_iter().enumerate() {
        client
            .send(format!(
                "GET /{number} HTTP/1.1\r\nhost: h{value}\r\nx-v: {value}\r\nconnection: te\r\nte: trailers\r\n\r\n"
            ))
            .await;
        let seen = client.answer().await;
        let expected = format!("GET /{number} 1.1\nhost: h{value}\nx-v: {value}\n");
        assert!(seen.text().starts_with(&expected), "{}", seen.text());
        assert!(seen.text().contains(&format!("host=Some(\"h{value}\")")), "{}", seen.text());
        assert!(!seen.text().contains("te: "), "{}", seen.text());
    }
    let one = "GET /a HTTP/1.1\r\nhost: t\r\nx-v: 1\r\n\r\n";
    let two = "GET /b HTTP/1.1\r\nhost: t\r\nx-v: 2\r\n\r\n";
    for round in [[one, one, two], [two, one, one], [one, two, one]] {
        client.send(round.concat()).await;
        for sent in round {
            let value = sent.lines().nth(2).expect("three lines");
            let seen = client.answer().await;
            assert!(seen.text().contains(value), "{sent} {}", seen.text());
        }
    }
}
