//! One connection from its first byte to its last: what is spoken on it, and what ends it.

mod deadline;
mod io;
mod message;
#[cfg(feature = "proxy-protocol")]
mod proxied;
mod refusal;
mod state;
mod streams;
mod transport;
mod websocket;

use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use anyhost_core::Scheme;
use anyhost_core::adapter::Handler;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;

pub(crate) use deadline::Deadline;
pub(crate) use state::{Connection, Stage};
pub(crate) use streams::{keep_with_upgrade, set_offered};
pub(crate) use transport::{Client, Transport};

use crate::request::requests;
use crate::shared::Shared;
use io::Io;
use state::Timeout;
use streams::Streams;

/// Requests that a client of HTTP/2 may have open at once; what most servers allow.
const MAX_STREAMS: u32 = 128;

/// The largest head in bytes; beyond it 431. Of HTTP/2 the names and values with 32 bytes for each pair
/// (RFC 9113 §6.5.2).
const MAX_HEAD: usize = 128 * 1024;

/// Bytes of one request body of HTTP/2, and of all on a connection, that may come before the App has read them.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Bytes of one response of HTTP/2 that h2 keeps until the client takes them.
const MAX_SEND_BUFFER: usize = 128 * 1024;

/// How often a client of HTTP/2 that says nothing is asked whether it is there, and how long it may take to answer. Its
/// answer cannot stand inside of a head (RFC 9113 §6.10), so that a head which stops ends its connection, too.
const PING_INTERVAL: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Serves a connection until it is done, its time is over or the server ends it; its place is kept until then.
///
/// hyper knows requests; this knows time. It keeps one timer per connection, which is set only when
/// something is waited for: a request that arrives whole and is answered at once costs none.
pub(crate) async fn serve<A: Handler>(
    _place: impl Send + 'static,
    transport: Transport,
    tls: bool,
    shared: Arc<Shared<A>>,
    connection: Arc<Connection>,
) {
    let mut conversing = pin!(converse(transport, tls, &shared, &connection));
    let mut deadline = Deadline::default();
    let outcome = poll_fn(|cx| {
        connection.task.register(cx.waker());
        loop {
            if connection.has_reached(Stage::Aborted) {
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(outcome) = conversing.as_mut().poll(cx) {
                return Poll::Ready(outcome);
            }
            match connection.timeout(&shared.config) {
                Timeout::Never => return Poll::Pending,
                Timeout::CloseAt(end) => {
                    ready!(deadline.poll(end, cx));
                    // The holder of a connection that goes on with another protocol is a task of the App.
                    connection.advance(Stage::CutOff);
                    return Poll::Ready(Ok(()));
                }
                Timeout::GiveUpAt(end) => {
                    ready!(deadline.poll(end, cx));
                    // hyper runs once more, for the client to be told.
                    connection.give_up();
                }
            }
        }
    });
    if let Err(error) = outcome.await {
        tracing::debug!("a connection ended: {error}");
    }
}

/// Reads what the proxy says if the PROXY protocol is on, and shakes hands if TLS is spoken. Then serves HTTP/1.1, or
/// HTTP/2 if the first bytes are its preface, which ALPN inside TLS makes a client send.
///
/// Once the connection is closing a client of HTTP/2 is told (GOAWAY), twice as RFC 9113 §6.8 says: what it had
/// sent before it could know is answered, and what it sends afterwards it knows to be safe to send again.
/// Floods of resets, of headers without an end, of empty frames and of settings are bounded by h2.
async fn converse<A: Handler>(
    transport: Transport,
    tls: bool,
    shared: &Arc<Shared<A>>,
    connection: &Arc<Connection>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let client = (transport.peer, if tls { Scheme::Https } else { Scheme::Http });
    #[cfg(feature = "proxy-protocol")]
    let (transport, client) = match shared.config.proxy_protocol {
        true => proxied::client(transport, client, &shared.config.trust).await?,
        false => (transport, client),
    };
    #[cfg(feature = "tls")]
    let transport = match shared.config.tls.as_ref().filter(|_| tls) {
        Some(certificate) => transport.tls(certificate.acceptor()).await?,
        None => transport,
    };
    let (open, closed) = oneshot::channel();
    let mut io = Io::new(transport.stream, Arc::clone(connection), open);
    let http2 = poll_fn(|cx| io.poll_is_http2(cx)).await?;
    let io = TokioIo::new(io);
    if !http2 {
        // By reference: a clone of the `Arc` for each request would have all threads write one counter.
        let requests = requests(&**shared, connection, client);
        let mut builder = http1::Builder::new();
        // `Io` looks for the end of the input itself while a request is answered.
        let serving =
            builder.max_buf_size(MAX_HEAD).half_close(true).serve_connection(io, requests);
        serving.with_upgrades().await?;
        if connection.is_upgraded() {
            // Its holder is a task of the App. The connection stays open, and counted, as long as the socket is.
            let _ = closed.await;
        }
        return Ok(());
    }
    let streams = Streams { send_timeout: shared.config.send_timeout };
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .enable_connect_protocol();
    let requests = requests(Arc::clone(shared), connection, client);
    let mut serving = pin!(builder.serve_connection(io, requests));
    let mut told = false;
    let outcome = poll_fn(|cx| {
        if !told && connection.has_reached(Stage::Closing) {
            told = true;
            serving.as_mut().graceful_shutdown();
        }
        serving.as_mut().poll(cx)
    });
    Ok(outcome.await?)
}

#[cfg(test)]
mod tests {
    use anyhost_core::{App, Error, Host, Paradigm, Request, Response, async_trait};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Starts;

    #[async_trait]
    impl App for Starts {
        async fn start(_: &Host) -> Result<Self, Error> {
            Ok(Self)
        }

        async fn call(&self, _: Request) -> Result<Response, Error> {
            Ok(Response::default())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_head_that_does_not_come_to_its_end_ends_its_connection() {
        let host = Host::builder(Paradigm::LongRunning, "test").build().expect("a host");
        let lifecycle = host.lifecycle().clone();
        let shared = Arc::new(Shared::<Starts>::new(host, Default::default(), None));
        let begin = |bytes: &'static [u8]| {
            let (mut client, server) = tokio::io::duplex(64 * 1024);
            let transport = Transport { stream: Box::new(server), peer: None };
            let connection = Arc::new(Connection::new(lifecycle.clone(), None));
            let serving =
                tokio::spawn(serve((), transport, false, Arc::clone(&shared), connection));
            async move {
                client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
                // A request, whole.
                client.write_all(b"\0\0\x09\x01\x05\0\0\0\x01\x82\x84\x86\x41\x04test").await?;
                client.write_all(bytes).await?;
                let mut answers = Vec::new();
                let all = client.read_to_end(&mut answers);
                let patience = PING_INTERVAL + PING_TIMEOUT + Duration::from_secs(1);
                let ended = tokio::time::timeout(patience, all).await.is_ok();
                serving.abort();
                std::io::Result::Ok((ended, answers.len()))
            }
        };
        // Cut inside of its frame, and without the flag END_HEADERS.
        for head in [&b"\0\0\x09\x01\x05\0\0\0\x03\x82"[..], b"\0\0\x01\x01\x01\0\0\0\x03\x82"] {
            let (ended, answered) = begin(head).await.expect("a connection");
            assert!(ended && answered > 0, "{answered} bytes");
        }
    }
}
