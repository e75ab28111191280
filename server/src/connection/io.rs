//! The socket of a connection as hyper sees it: it tells the connection what passes.

mod requests;

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::message::Message;
use super::refusal::refusal;
use super::state::{Connection, Stage};
use super::transport::Stream;
use super::websocket::Outgoing;

/// Bytes that are read at once if they do not go to hyper directly, and the most that are copied to be sent at once.
const PIECE: usize = 4096;

/// The socket of a connection as hyper sees it.
pub(super) struct Io {
    stream: Box<dyn Stream>,
    connection: Arc<Connection>,
    protocol: Protocol,
    /// Bytes that were read and that hyper has not seen.
    buffer: BytesMut,
    /// The first bytes of the buffer, which hyper may see.
    ready: usize,
    /// The client sends no more.
    ended: bool,
    /// The client did not take what was written last.
    blocked: bool,
    /// Dropped with the socket, for the task of the connection to know.
    _open: oneshot::Sender<()>,
}

/// What the bytes are.
enum Protocol {
    Http1(Message),
    /// A request was refused with this status line.
    Refused(&'static [u8]),
    Http2,
    Upgraded(Outgoing),
}

impl Io {
    pub(super) fn new(
        stream: Box<dyn Stream>,
        connection: Arc<Connection>,
        open: oneshot::Sender<()>,
    ) -> Self {
        Self {
            stream,
            connection,
            protocol: Protocol::Http1(Message::default()),
            buffer: BytesMut::new(),
            ready: 0,
            ended: false,
            blocked: false,
            _open: open,
        }
    }

    fn read_upgraded(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Registered before the check: an end that comes in between wakes this task.
        self.connection.reader.register(cx.waker());
        if self.connection.has_reached(Stage::CutOff) {
            if let Protocol::Upgraded(outgoing) = &mut self.protocol
                && let Some(goodbye) = outgoing.goodbye()
            {
                // Best effort: a full socket has no reader.
                let _ = Pin::new(&mut self.stream).poll_write(cx, &goodbye);
                let _ = Pin::new(&mut self.stream).poll_flush(cx);
            }
            return Poll::Ready(Ok(()));
        }
        self.ready = self.buffer.len();
        match self.ready {
            0 => Pin::new(&mut self.stream).poll_read(cx, to),
            _ => self.give(to),
        }
    }

    /// Sends slices, as far as the socket takes them. `send` of one short piece costs the kernel less than `writev` of the
    /// head and the body of a response, by more than the copy.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        match slices {
            [one] => stream.poll_write(cx, one),
            _ if slices.iter().map(|slice| slice.len()).sum::<usize>() <= PIECE => {
                let mut space = [MaybeUninit::uninit(); PIECE];
                let mut piece = ReadBuf::uninit(&mut space);
                slices.iter().for_each(|slice| piece.put_slice(slice));
                stream.poll_write(cx, piece.filled())
            }
            _ => stream.poll_write_vectored(cx, slices),
        }
    }

    /// Once the App has taken the connection up, the bytes are those of a WebSocket.
    fn note_upgrade(&mut self) {
        if self.connection.is_upgraded() && !matches!(self.protocol, Protocol::Upgraded(_)) {
            self.protocol = Protocol::Upgraded(Outgoing::default());
        }
    }

    /// Returns the problem to send in place of what hyper sends by itself: its answer to what never became a request.
    fn refusal(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        match &self.protocol {
            Protocol::Refused(status) => refusal(status),
            Protocol::Http1(_) if !self.connection.is_counted() => refusal(bytes),
            _ => None,
        }
    }

    /// Whether the client may still send bytes that are not read. If the socket was closed then, the kernel would reset
    /// the connection, and the client would lose the end of the response.
    fn has_unread_input(&self) -> bool {
        let between = match &self.protocol {
            Protocol::Http1(message) => message.is_complete() || message.is_head(),
            Protocol::Refused(_) => false,
            Protocol::Http2 | Protocol::Upgraded(_) => true,
        };
        !self.ended && (!between || !self.buffer.is_empty())
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.note_upgrade();
        if this.ready > 0 {
            return this.give(to);
        }
        match &this.protocol {
            Protocol::Http1(_) if this.connection.timed_out() => {
                this.refuse(b"HTTP/1.1 408 Request Timeout\r\n", to)
            }
            Protocol::Http1(_) => this.read_http1(cx, to),
            Protocol::Refused(_) => Poll::Ready(Ok(())),
            Protocol::Http2 => Pin::new(&mut this.stream).poll_read(cx, to),
            Protocol::Upgraded(_) => this.read_upgraded(cx, to),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.note_upgrade();
        if let Some(first) = slices.first()
            && let Some(refusal) = this.refusal(first)
        {
            // It fits into the socket's buffer: a few hundred bytes on a connection on which nothing else is written.
            ready!(Pin::new(&mut this.stream).poll_write(cx, &refusal))?;
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        if matches!(this.protocol, Protocol::Upgraded(_)) {
            this.connection.writer.register(cx.waker());
            if this.connection.has_reached(Stage::CutOff) {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
        match this.poll_send(cx, slices) {
            Poll::Ready(Ok(count)) => {
                if this.blocked {
                    this.connection.took(count);
                }
                if let Protocol::Upgraded(outgoing) = &mut this.protocol {
                    outgoing.sent(slices, count);
                }
                Poll::Ready(Ok(count))
            }
            Poll::Pending => {
                this.blocked = true;
                this.connection.blocked();
                this.look_ahead(cx)?;
                Poll::Pending
            }
            failed => failed,
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if std::mem::take(&mut self.blocked) {
            self.connection.caught_up();
        }
        self.connection.flushed();
        self.look_ahead(cx)?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        while this.has_unread_input() {
            this.buffer.clear();
            match this.poll_fill(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => this.ended = true,
                Poll::Pending => {
                    this.connection.lingers();
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        // Best effort, so that a client can tell the end of TLS from a connection that was cut.
        let _ = Pin::new(&mut self.stream).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}
