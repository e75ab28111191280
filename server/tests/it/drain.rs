//! The end: what was accepted is finished, what is late is told so.

use std::sync::atomic::Ordering;

use anyhost_core::Phase;
use anyhost_core::adapter::Exit;

use crate::running::Running;
use crate::subject::{OUTLASTED, STOPPED};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_and_its_connection_closed() {
    let mut server = Running::with(&[]).await;
    let mut idle = server.connect().await;
    assert_eq!(idle.get("/").await.status, 200);
    // An answer may arrive a moment before its request counts as finished.
    server.host.lifecycle().wait_idle().await;
    let mut busy = server.connect().await;
    busy.send("GET /slow/300 HTTP/1.1\r\nhost: t\r\n\r\n").await;
    while server.host.lifecycle().in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    let stopped = STOPPED.load(Ordering::SeqCst);
    server.say_stop();
    assert!(idle.closed().await);
    let answer = busy.answer().await;
    assert_eq!((answer.text(), answer.header("connection")), ("slow", Some("close")));
    assert!(busy.closed().await);
    let host = server.host.clone();
    let drained = server.end().await;
    assert_eq!((drained.in_flight, drained.aborted), (1, 0));
    assert_eq!(drained.exit(), Exit::Done);
    assert_eq!(host.lifecycle().phase(), Phase::Stopped);
    assert!(STOPPED.load(Ordering::SeqCst) > stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_being_sent_is_sent_to_its_end() {
    let mut server = Running::with(&[("SHUTDOWN_GRACE", "10m")]).await;
    let mut client = server.connect().await;
    client.send("GET /drip/100 HTTP/1.1\r\nhost: t\r\n\r\n").await;
    while server.host.lifecycle().in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    server.say_stop();
    assert_eq!(client.answer().await.text(), ".....");
    assert_eq!(server.end().await.aborted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_outlasts_its_response_ends_before_the_process() {
    let mut server = Running::with(&[]).await;
    let mut client = server.connect().await;
    let ended = OUTLASTED.load(Ordering::SeqCst);
    assert_eq!(client.get("/outlast/300").await.text(), "at once");
    server.say_stop();
    assert_eq!(server.end().await.exit(), Exit::Done);
    assert_eq!(OUTLASTED.load(Ordering::SeqCst), ended + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_for_a_slow_reader_is_sent_to_its_end() {
    let mut server = Running::with(&[("SHUTDOWN_GRACE", "10m")]).await;
    let mut client = server.connect().await;
    client.send("GET /send/32 HTTP/1.1\r\nhost: t\r\n\r\n").await;
    while server.host.lifecycle().in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    server.say_stop();
    server.host.lifecycle().wait_for(Phase::Draining).await;
    assert_eq!(client.answer().await.body.len(), 32 << 20);
    assert_eq!(server.end().await.aborted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_connections_are_served_while_routers_learn() {
    let mut server = Running::with(&[("LAME_DUCK", "500ms")]).await;
    let mut before = server.connect().await;
    assert_eq!(before.get("/").await.header("connection"), None);
    server.say_stop();
    server.host.lifecycle().wait_for(Phase::Draining).await;
    let mut probe = server.connect().await;
    assert_eq!(probe.get("/readyz").await.status, 503);
    let mut late = server.connect().await;
    assert_eq!(late.get("/livez").await.status, 200);
    let mut late = server.connect().await;
    let answer = late.get("/").await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    let answer = before.get("/").await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    let address = server.address;
    server.end().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_connected_and_has_not_asked_yet_is_still_answered() {
    let mut server = Running::with(&[]).await;
    let mut client = server.connect().await;
    server.say_stop();
    server.host.lifecycle().wait_for(Phase::Draining).await;
    let answer = client.get("/").await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(server.end().await.aborted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_is_cut_off_and_the_stop_succeeds() {
    let mut server = Running::with(&[("SHUTDOWN_GRACE", "1s")]).await;
    let mut stuck = server.connect().await;
    stuck.send("GET /slow/600000 HTTP/1.1\r\nhost: t\r\n\r\n").await;
    let mut dangling = server.connect().await;
    dangling.send("POST /count HTTP/1.1\r\nhost: t\r\ncontent-length: 100000\r\n\r\nx").await;
    while server.host.lifecycle().in_flight() < 2 {
        tokio::task::yield_now().await;
    }
    server.say_stop();
    let drained = server.end().await;
    assert_eq!((drained.in_flight, drained.aborted), (2, 2));
    assert_eq!(drained.exit(), Exit::Done);
    assert!(stuck.closed().await && dangling.closed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_the_start_is_done_ends_the_start() {
    let server = Running::starting(&[("START_TAKES", "60s")]);
    assert_eq!(server.connect().await.get("/livez").await.status, 200);
    let drained = server.stop().await;
    assert_eq!(drained.exit(), Exit::Done);
}
