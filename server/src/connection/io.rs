//! The socket of a connection, which tells the connection what passes through it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Conn;
use super::frames::{Frames, PREFACE};
use super::framing::{Framing, Heads};
use super::transport::Transport;

/// What a client whose head does not come in time is told.
const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// How far a client may be ahead of its answers. actix's dispatcher spins once its buffer of 128 KiB is
/// full of requests that it cannot begin.
const AHEAD: usize = 16 * 1024;

/// The socket of a connection as the HTTP dispatcher sees it.
pub(crate) struct Io {
    transport: Transport,
    watch: Watch,
    pub(crate) conn: Rc<Conn>,
}

/// What follows the bytes that come.
enum Watch {
    Http1(Framing),
    Http2(Frames),
}

impl Io {
    pub(super) fn new(transport: Transport, conn: Rc<Conn>) -> Self {
        Self { transport, watch: Watch::Http1(Framing::default()), conn }
    }

    /// From here on the bytes are frames of HTTP/2, its preface first.
    pub(super) fn is_http2(&mut self) {
        self.watch = Watch::Http2(Frames::new(PREFACE.len()));
        self.conn.is_http2();
    }

    /// Whether the first bytes are those of HTTP/2, once that can be told. What was read is read again by
    /// the dispatcher.
    pub(super) fn poll_preface(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let known = self.transport.early();
            if known.starts_with(PREFACE) {
                return Poll::Ready(Ok(true));
            }
            if !PREFACE.starts_with(known) || self.conn.timed_out() {
                return Poll::Ready(Ok(false));
            }
            if ready!(self.transport.poll_more(cx))? == 0 {
                return Poll::Ready(Ok(false));
            }
            self.conn.received(Heads::None);
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.conn.timed_out() {
            if self.conn.spoke() && matches!(self.watch, Watch::Http1(_)) {
                // Best effort: nothing else is being written, and a full socket buffer has no reader.
                let _ = Pin::new(&mut self.transport).poll_write(cx, REQUEST_TIMEOUT);
            }
            return Poll::Ready(Ok(()));
        }
        let this = &mut *self;
        let busy = this.conn.busy();
        if let Watch::Http1(framing) = &this.watch
            && busy
            && framing.ahead() >= AHEAD
        {
            // The end of the request wakes the task that reads.
            this.conn.pause();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.transport).poll_read(cx, buffer))?;
        let come = &mut buffer.filled_mut()[before..];
        if !come.is_empty() {
            match &mut this.watch {
                Watch::Http1(framing) => {
                    let heads = framing.watch(come, busy);
                    this.conn.received(heads);
                }
                Watch::Http2(frames) => this.conn.head_waits(frames.watch(come)),
            }
        } else if buffer.remaining() > 0 {
            self.conn.peer_closed();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write(cx, bytes);
        self.conn.sent(outcome.is_pending());
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write_vectored(cx, slices);
        self.conn.sent(outcome.is_pending());
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.transport).poll_flush(cx))?;
        self.conn.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
