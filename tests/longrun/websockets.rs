//! WebSockets: by third-party clients and routers, over HTTP/1.1 and HTTP/2, and until the end of a drain.

use std::time::Duration;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{Instance, launch, port_of};
use anyhost_tests::process::{PATIENCE, Signal};
use anyhost_tests::servers::{Haproxy, Nginx};
use anyhost_tests::wait::eventually;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, StatusCode, Version};
use http_body_util::Empty;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Builder;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};

fn run(work: impl Future<Output = ()>) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let work = async { tokio::time::timeout(PATIENCE, work).await.expect("in time") };
    runtime.expect("a runtime").block_on(work);
}

/// A WebSocket on a connection.
async fn open<S>(stream: S, path: &str) -> WebSocketStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (socket, answer) =
        client_async(format!("ws://test{path}"), stream).await.expect("a WebSocket");
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    socket
}

/// Sends messages of many sizes and gets each back.
async fn echoes<S>(socket: &mut WebSocketStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let message = Message::Binary(vec![7; size].into());
        socket.send(message.clone()).await.expect("it reads");
        assert_eq!(socket.next().await.expect("a message").expect("a message"), message);
    }
    socket.send(Message::text("h\u{e9}llo")).await.expect("it reads");
    let message = socket.next().await.expect("a message").expect("a message");
    assert_eq!(message, Message::text("h\u{e9}llo"));
}

/// The status with which the connection is closed; none if it just ends.
async fn closed<S>(socket: &mut WebSocketStream<S>) -> Option<CloseCode>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

#[test]
fn messages_come_back_on_every_listener_and_through_routers() {
    let instance = Instance::start("echo-paas", &[]);
    let haproxy = Haproxy::start(&[instance.port]);
    haproxy.wait_until_it_knows(&[instance.port]);
    let nginx = Nginx::start(&[instance.port]);
    run(async {
        for address in [instance.address(), haproxy.address()] {
            let stream = TcpStream::connect(address).await.expect("it listens");
            let mut socket = open(stream, "/r/websocket").await;
            echoes(&mut socket).await;
            socket.close(None).await.expect("it reads");
            assert_eq!(closed(&mut socket).await, None, "a close without a status");
        }
        let stream = UnixStream::connect(nginx.socket()).await.expect("it listens");
        echoes(&mut open(stream, "/r/websocket").await).await;
    });
    let folder = tempfile::TempDir::new().expect("a folder for temporary files");
    let path = folder.path().join("s");
    let listen = format!("127.0.0.1:0, unix:{}", path.display());
    let (process, _folder) = launch("echo-vm", &[], &[("LISTEN", &listen)]);
    process.wait_for_line(&["ready"]);
    run(async {
        let stream = UnixStream::connect(&path).await.expect("it listens");
        echoes(&mut open(stream, "/r/websocket").await).await;
    });
}

/// An extended CONNECT (RFC 8441), beside ordinary requests of the same connection.
#[test]
fn messages_come_back_over_http_2() {
    let (process, _folder) =
        launch("echo-vm", &[], &[("LISTEN", "127.0.0.1:0"), ("KEEP_ALIVE", "1s")]);
    let port = port_of(&process);
    process.wait_for_line(&["ready"]);
    run(async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("HTTP/2");
        let connection = tokio::spawn(connection);
        let request = |method: Method, path: &str| {
            let uri = format!("http://test{path}");
            let request = Request::builder().method(method).uri(uri).version(Version::HTTP_2);
            request.body(Empty::<Bytes>::new()).expect("a request")
        };
        // The server's settings say that it is offered, and are here with the first answer.
        let plain = sender.send_request(request(Method::GET, "/r/text")).await.expect("an answer");
        assert_eq!(plain.status(), 200);
        let mut connect = request(Method::CONNECT, "/r/websocket");
        connect.headers_mut().insert("sec-websocket-version", "13".parse().expect("a value"));
        connect.extensions_mut().insert(Protocol::from_static("websocket"));
        let answer = sender.send_request(connect).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let upgraded = TokioIo::new(hyper::upgrade::on(answer).await.expect("a WebSocket"));
        let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
        echoes(&mut socket).await;
        // It counts as work as long as it is open, even if no message is sent: the connection is not idle.
        let idle = tokio::time::timeout(Duration::from_millis(2500), socket.next()).await;
        assert!(idle.is_err(), "{idle:?}");
        echoes(&mut socket).await;
        let plain = sender.send_request(request(Method::GET, "/r/text")).await.expect("an answer");
        assert_eq!(plain.status(), 200);
        // An ordinary CONNECT is not offered, nor another protocol.
        let mut other = request(Method::CONNECT, "/r/websocket");
        other.extensions_mut().insert(Protocol::from_static("connect-udp"));
        assert_eq!(sender.send_request(other).await.expect("an answer").status(), 501);
        process.signal(Signal::TERM);
        assert_eq!(closed(&mut socket).await, Some(CloseCode::Away));
        drop((socket, sender));
        let _ = connection.await;
    });
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0), "{}", process.log().text());
}

#[test]
fn a_websocket_has_a_place_under_the_limit_until_it_is_closed() {
    let instance = Instance::start("echo-paas", &[("MAX_IN_FLIGHT", "1")]);
    let is = |status: &str| Wire::to(instance.port).get("/r/text").says(status);
    run(async {
        let stream = TcpStream::connect(instance.address()).await.expect("it listens");
        let mut socket = open(stream, "/r/websocket").await;
        echoes(&mut socket).await;
        assert!(is("HTTP/1.1 503 Service Unavailable"));
    });
    eventually("a place that is free", || is("HTTP/1.1 200 OK").then_some(()));
}

/// An App that heeds the drain closes its WebSockets at once; one that does not has the grace, and then the server does.
#[test]
fn a_drain_closes_with_1001_and_the_stop_succeeds() {
    for (path, cut) in [("/r/websocket", 0), ("/r/websocket-deaf", 1)] {
        let environment = [("SHUTDOWN_GRACE", "3s"), ("LOG_FORMAT", "json")];
        let instance = Instance::start("echo-paas", &environment);
        run(async {
            let stream = TcpStream::connect(instance.address()).await.expect("it listens");
            let mut socket = open(stream, path).await;
            echoes(&mut socket).await;
            instance.process.signal(Signal::TERM);
            instance.process.wait_for_line(&["draining"]);
            if cut > 0 {
                // It is served to the end of the grace.
                echoes(&mut socket).await;
            }
            assert_eq!(closed(&mut socket).await, Some(CloseCode::Away), "{path}");
        });
        assert_eq!(instance.exit_code(PATIENCE), 0, "{path}");
        instance.process.wait_for_line(&[
            "drained",
            "\"in_flight\":1",
            &format!("\"aborted\":{cut}"),
        ]);
    }
}

#[test]
fn an_endless_stream_may_end_when_the_drain_begins() {
    let instance = Instance::start("echo-paas", &[("SHUTDOWN_GRACE", "10m")]);
    let mut stream = Wire::to(instance.port);
    stream.write("GET /r/endless HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.until("data:");
    instance.tell(Signal::TERM);
    assert!(stream.rest().ends_with("0\r\n\r\n"));
    assert_eq!(instance.exit_code(PATIENCE), 0);
    instance.process.wait_for_line(&["drained", "\"aborted\":0"]);
}
