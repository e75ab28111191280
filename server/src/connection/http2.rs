//! One connection of HTTP/2: its streams, its limits, and how it says goodbye.

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};

use super::Io;

/// Requests that a client may have open at once; what most servers allow.
const STREAMS: u32 = 128;

/// The largest head, names and values with 32 bytes for each pair (RFC 9113 §6.5.2); beyond it 431.
/// HTTP/1.1's is the same.
const HEAD: u32 = 128 * 1024;

/// Bytes of one request body, and of all on a connection, that may come before anybody has read them.
const WINDOW: u32 = 256 * 1024;
const ALL_WINDOWS: u32 = 1024 * 1024;

/// Bytes of one response that may lie here until the client takes them.
const UNSENT: usize = 128 * 1024;

/// Answers the requests of a connection until it ends. Each has a future of its own, which ends with the
/// connection at the latest.
///
/// Once the connection is closing the client is told (GOAWAY), twice as RFC 9113 §6.8 says: what it had
/// sent before it could know is answered, and what it sends afterwards it knows to be safe to send again.
/// Floods of resets, of headers without an end, of empty frames and of settings are bounded by h2.
///
/// # Errors
/// Where the connection breaks or the client does not keep to the protocol.
pub(crate) async fn serve<F: Future<Output = ()>>(
    io: Io,
    answer: impl Fn(http::Request<RecvStream>, SendResponse<Bytes>) -> F,
) -> Result<(), h2::Error> {
    let conn = std::rc::Rc::clone(&io.conn);
    let mut connection = Builder::new()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(ALL_WINDOWS)
        .max_send_buffer_size(UNSENT)
        .handshake(io)
        .await?;
    let mut streams = FuturesUnordered::new();
    let mut told = false;
    poll_fn(|cx| {
        loop {
            // What the streams have to say is written by the connection, so that comes behind them.
            while let Poll::Ready(Some(())) = streams.poll_next_unpin(cx) {}
            if conn.closing() && !told {
                told = true;
                connection.graceful_shutdown();
            }
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    streams.push(answer(request, respond));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}
