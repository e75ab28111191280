//! One connection from its first byte to its last: what is spoken on it, and what ends it.

mod deadline;
mod frames;
mod io;
mod messages;
mod open;
#[cfg(feature = "proxy-protocol")]
mod proxied;
#[cfg(not(feature = "proxy-protocol"))]
#[path = "connection/proxied/none.rs"]
mod proxied;
mod refusal;
mod state;
mod streams;
mod transport;
mod websocket;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
#[cfg(feature = "http2")]
use std::time::Duration;

use anyhost_core::adapter::Handler;
use hyper::server::conn::http1;
#[cfg(feature = "http2")]
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
#[cfg(feature = "http2")]
use hyper_util::rt::TokioTimer;

pub(crate) use deadline::Deadline;
pub(crate) use state::Connection;
pub(crate) use streams::{hand_over, handed_out};
pub(crate) use transport::Transport;

use crate::Config;
use crate::request::Requests;
use crate::shared::Shared;
use io::Io;
use open::{Opened, open};
use state::Verdict;
#[cfg(feature = "http2")]
use streams::Streams;

/// Requests that a client of HTTP/2 may have open at once; what most servers allow.
#[cfg(feature = "http2")]
const STREAMS: u32 = 128;

/// The largest head in bytes; beyond it 431. Of HTTP/2 the names and values with 32 bytes for each pair
/// (RFC 9113 §6.5.2).
const HEAD: usize = 128 * 1024;

/// Bytes of one request body of HTTP/2, and of all on a connection, that may come before anybody has read them.
#[cfg(feature = "http2")]
const WINDOW: u32 = 256 * 1024;
#[cfg(feature = "http2")]
const ALL_WINDOWS: u32 = 1024 * 1024;

/// Bytes of one response of HTTP/2 that may lie here until the client takes them.
#[cfg(feature = "http2")]
const UNSENT: usize = 128 * 1024;

/// How often a client of HTTP/2 that says nothing is asked whether it is there, and how long it may take to answer.
#[cfg(feature = "http2")]
const PING: Duration = Duration::from_secs(60);
#[cfg(feature = "http2")]
const PONG: Duration = Duration::from_secs(20);

/// Serves a connection until it is done, its time is over or the server closes it.
///
/// hyper knows requests; this knows time. It keeps one timer per connection, which is set only when
/// something is waited for: a request that arrives whole and is answered at once costs none.
pub(crate) async fn serve<A: Handler>(
    transport: Transport,
    tls: bool,
    shared: Arc<Shared<A>>,
    connection: Arc<Connection>,
) {
    let config = &shared.config;
    let serving = async {
        match open(transport, config, tls, &connection).await? {
            Opened::Http1(io) => serve_http1(io, &shared, &connection).await,
            #[cfg(feature = "http2")]
            Opened::Http2(io) => serve_http2(io, &shared, &connection).await,
        }
    };
    let outcome = in_time(serving, &connection, config).await;
    if let Some(Err(error)) = outcome {
        tracing::debug!("a connection ended: {error}");
    }
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Drives the work of a connection; `None` if its time is over first.
async fn in_time(
    serving: impl Future<Output = Outcome>,
    connection: &Connection,
    config: &Config,
) -> Option<Outcome> {
    let mut serving = pin!(serving);
    let mut deadline = Deadline::default();
    let mut first = true;
    poll_fn(|cx| {
        if std::mem::take(&mut first) {
            connection.remember_task(cx);
        }
        loop {
            if let Poll::Ready(outcome) = serving.as_mut().poll(cx) {
                return Poll::Ready(Some(outcome));
            }
            match connection.verdict(config) {
                Verdict::Wait => return Poll::Pending,
                Verdict::CloseAt(end) => {
                    ready!(deadline.poll(end, cx));
                    if connection.is_upgraded() {
                        connection.cut_off();
                    }
                    return Poll::Ready(None);
                }
                Verdict::GiveUpAt(end) => {
                    ready!(deadline.poll(end, cx));
                    // hyper runs once more and finds the end of its input.
                    connection.give_up();
                }
            }
        }
    })
    .await
}

async fn serve_http1<A: Handler>(
    io: Io,
    shared: &Arc<Shared<A>>,
    connection: &Arc<Connection>,
) -> Outcome {
    let requests = Requests::new(shared, connection);
    let serving = http1::Builder::new()
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(io), requests)
        .with_upgrades();
    serving.await?;
    if connection.is_upgraded() {
        // Its holder is a task of the App. The connection stays open, and counted, as long as the socket is.
        poll_fn(|_| if connection.is_socket_gone() { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }
    Ok(())
}

/// Once the connection is closing the client is told (GOAWAY), twice as RFC 9113 §6.8 says: what it had
/// sent before it could know is answered, and what it sends afterwards it knows to be safe to send again.
/// Floods of resets, of headers without an end, of empty frames and of settings are bounded by h2.
#[cfg(feature = "http2")]
async fn serve_http2<A: Handler>(
    io: Io,
    shared: &Arc<Shared<A>>,
    connection: &Arc<Connection>,
) -> Outcome {
    let requests = Requests::new(shared, connection);
    let serving = http2::Builder::new(Streams::new(shared.config.send_timeout))
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD as u32)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(ALL_WINDOWS)
        .max_send_buf_size(UNSENT)
        .enable_connect_protocol()
        .serve_connection(TokioIo::new(io), requests);
    let mut serving = pin!(serving);
    let mut told = false;
    poll_fn(|cx| {
        if !told && connection.is_closing() {
            told = true;
            serving.as_mut().graceful_shutdown();
        }
        serving.as_mut().poll(cx)
    })
    .await
    .map_err(Into::into)
}
