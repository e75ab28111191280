//! The socket of a connection, which tells the connection what passes through it.
//!
//! Long because reading and writing watch the same state, poll by poll.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{Frames, PREFACE};
use super::messages::Messages;
use super::refusal::refusal;
use super::state::Connection;
use super::transport::Transport;
use super::websocket::Outgoing;

/// How many bytes of coming requests are kept while one is answered.
const AHEAD: usize = 16 * 1024;

/// How much is read at once of what is kept or thrown away.
const PIECE: usize = 4096;

/// The socket of a connection as hyper sees it.
pub(super) struct Io {
    transport: Transport,
    protocol: Protocol,
    connection: Arc<Connection>,
    /// Bytes that were read and belong to coming requests.
    held: Vec<u8>,
    /// The client sends no more.
    ended: bool,
    /// Something was written since the last flush.
    unflushed: bool,
    /// The client did not take what was written last.
    blocked: bool,
}

/// What follows the bytes that pass.
enum Protocol {
    Http1(Messages),
    /// A head was refused, and hyper has been shown its end.
    Refused,
    Http2(Frames),
    Upgraded(Outgoing),
}

impl Io {
    pub(super) fn new(transport: Transport, connection: Arc<Connection>) -> Self {
        Self {
            transport,
            protocol: Protocol::Http1(Messages::default()),
            connection,
            held: Vec::new(),
            ended: false,
            unflushed: false,
            blocked: false,
        }
    }

    /// From here on the bytes are frames of HTTP/2, its preface first.
    pub(super) fn is_http2(&mut self) {
        self.protocol = Protocol::Http2(Frames::new(PREFACE.len()));
        self.connection.is_http2();
    }

    /// Whether the first bytes are those of HTTP/2, once that can be told. What was read is read again by hyper.
    pub(super) fn poll_preface(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let known = self.transport.early();
            if known.starts_with(PREFACE) {
                return Poll::Ready(Ok(true));
            }
            if !PREFACE.starts_with(known) || self.connection.timed_out() {
                return Poll::Ready(Ok(false));
            }
            if ready!(self.transport.poll_more(cx))? == 0 {
                return Poll::Ready(Ok(false));
            }
            self.connection.in_head();
        }
    }

    /// Shows hyper the bytes of one request, and keeps what follows until it is answered.
    fn read_http1(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Protocol::Http1(messages) = &mut self.protocol else { return Poll::Ready(Ok(())) };
        loop {
            if let Some(invalid) = messages.invalid() {
                if invalid.in_head {
                    // hyper looks at a head in pieces again once its end has come.
                    let room = buffer.remaining().min(4);
                    buffer.put_slice(&b"\r\n\r\n"[..room]);
                    self.protocol = Protocol::Refused;
                    return Poll::Ready(Ok(()));
                }
                let error = io::Error::new(io::ErrorKind::InvalidData, invalid.why);
                return Poll::Ready(Err(error));
            }
            if messages.is_complete() {
                if self.connection.is_busy() {
                    return self.read_ahead(cx);
                }
                messages.next();
            }
            let step = if self.held.is_empty() {
                if self.ended {
                    return Poll::Ready(Ok(()));
                }
                let before = buffer.filled().len();
                ready!(Pin::new(&mut self.transport).poll_read(cx, buffer))?;
                let come = &mut buffer.filled_mut()[before..];
                if come.is_empty() {
                    self.ended = true;
                    self.connection.peer_closed();
                    return Poll::Ready(Ok(()));
                }
                let step = messages.read(come);
                let end = step.skip + step.take;
                self.held.extend_from_slice(&come[end..]);
                come.copy_within(step.skip..end, 0);
                buffer.set_filled(before + step.take);
                step
            } else {
                let room = self.held.len().min(buffer.remaining());
                let step = messages.read(&mut self.held[..room]);
                let end = step.skip + step.take;
                buffer.put_slice(&self.held[step.skip..end]);
                self.held.drain(..end);
                step
            };
            if step.take > 0 {
                if messages.is_in_head() {
                    self.connection.in_head();
                }
                self.connection.set_whole_server(messages.whole_server);
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Reads on while a request is answered, to learn whether the client is still there.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.held.len() < AHEAD && !self.ended {
            let mut space = [MaybeUninit::uninit(); PIECE];
            let mut piece = ReadBuf::uninit(&mut space);
            match Pin::new(&mut self.transport).poll_read(cx, &mut piece) {
                Poll::Ready(Ok(())) if piece.filled().is_empty() => {
                    self.ended = true;
                    self.connection.peer_closed();
                }
                Poll::Ready(Ok(())) => self.held.extend_from_slice(piece.filled()),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => break,
            }
        }
        if self.ended || !self.held.is_empty() {
            // The socket wakes nobody for these: the end of the response does.
            self.connection.holds_back();
        }
        Poll::Pending
    }

    fn read_upgraded(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.connection.is_cut_off() {
            if let Protocol::Upgraded(outgoing) = &mut self.protocol
                && let Some(goodbye) = outgoing.goodbye()
            {
                // Best effort: a full socket has no reader.
                let _ = Pin::new(&mut self.transport).poll_write(cx, &goodbye);
                let _ = Pin::new(&mut self.transport).poll_flush(cx);
            }
            return Poll::Ready(Ok(()));
        }
        if self.held.is_empty() {
            let outcome = Pin::new(&mut self.transport).poll_read(cx, buffer);
            if outcome.is_pending() {
                self.connection.remember_reader(cx);
            }
            return outcome;
        }
        let room = self.held.len().min(buffer.remaining());
        buffer.put_slice(&self.held[..room]);
        self.held.drain(..room);
        Poll::Ready(Ok(()))
    }

    /// What is written was taken by the kernel, or not.
    fn written(&mut self, outcome: &Poll<io::Result<usize>>) {
        match outcome {
            Poll::Ready(Ok(bytes)) => {
                self.unflushed = true;
                if self.blocked {
                    self.connection.took(*bytes);
                }
            }
            Poll::Pending => {
                self.blocked = true;
                self.connection.blocked();
            }
            Poll::Ready(Err(_)) => {}
        }
    }

    /// The answer in place of one that hyper gives by itself: to what never became a request.
    fn refusal(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let by_hyper = matches!(self.protocol, Protocol::Http1(_) | Protocol::Refused)
            && !self.connection.is_counted();
        by_hyper.then(|| refusal(bytes)).flatten()
    }

    /// Whether the client may still send what nobody reads. Closing the socket then would make the kernel throw away
    /// what the client has not read yet.
    fn has_unread_input(&self) -> bool {
        let between = match &self.protocol {
            Protocol::Http1(messages) => messages.is_between_requests(),
            Protocol::Refused => false,
            Protocol::Http2(_) | Protocol::Upgraded(_) => true,
        };
        !self.ended && (!between || !self.held.is_empty())
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.connection.timed_out() {
            if matches!(this.protocol, Protocol::Http1(_)) {
                let answer = refusal(b"HTTP/1.1 408 Request Timeout\r\n").unwrap_or_default();
                // Best effort: nothing else is being written, and a full socket buffer has no reader.
                let _ = Pin::new(&mut this.transport).poll_write(cx, &answer);
                this.protocol = Protocol::Refused;
            }
            return Poll::Ready(Ok(()));
        }
        match &mut this.protocol {
            Protocol::Http1(_) if this.connection.is_upgraded() => {
                this.protocol = Protocol::Upgraded(Outgoing::default());
                this.read_upgraded(cx, buffer)
            }
            Protocol::Http1(_) => this.read_http1(cx, buffer),
            Protocol::Refused => Poll::Ready(Ok(())),
            Protocol::Http2(frames) => {
                let before = buffer.filled().len();
                ready!(Pin::new(&mut this.transport).poll_read(cx, buffer))?;
                this.connection.head_waits(frames.watch(&buffer.filled()[before..]));
                Poll::Ready(Ok(()))
            }
            Protocol::Upgraded(_) => this.read_upgraded(cx, buffer),
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
        if let Some(first) = slices.first()
            && let Some(refusal) = this.refusal(first)
        {
            // A few hundred bytes on a connection on which nothing else is written.
            ready!(Pin::new(&mut this.transport).poll_write(cx, &refusal))?;
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        if this.connection.is_cut_off() && this.connection.is_upgraded() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let outcome = match slices {
            [one] => Pin::new(&mut this.transport).poll_write(cx, one),
            slices => Pin::new(&mut this.transport).poll_write_vectored(cx, slices),
        };
        this.written(&outcome);
        if outcome.is_pending() && this.connection.is_upgraded() {
            this.connection.remember_writer(cx);
        }
        if let Poll::Ready(Ok(bytes)) = outcome
            && this.connection.is_upgraded()
        {
            if matches!(this.protocol, Protocol::Http1(_)) {
                this.protocol = Protocol::Upgraded(Outgoing::default());
            }
            if let Protocol::Upgraded(outgoing) = &mut this.protocol {
                outgoing.sent(slices.iter().flat_map(|slice| slice.iter().copied()).take(bytes));
            }
        }
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.transport).poll_flush(cx))?;
        self.unflushed = false;
        if std::mem::take(&mut self.blocked) {
            self.connection.caught_up();
        }
        self.connection.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(Pin::new(&mut this.transport).poll_shutdown(cx))?;
        while this.has_unread_input() {
            let mut space = [MaybeUninit::uninit(); PIECE];
            let mut piece = ReadBuf::uninit(&mut space);
            match Pin::new(&mut this.transport).poll_read(cx, &mut piece) {
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {}
                Poll::Ready(_) => this.ended = true,
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
        self.connection.socket_is_gone();
    }
}
