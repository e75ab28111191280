//! Requests of HTTP/1.1 as hyper is shown them: one at a time, the next when the last is answered.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use tokio::io::{AsyncRead, ReadBuf};

use super::{Io, PIECE, Protocol};
use crate::connection::MAX_HEAD;
use crate::connection::message::{Message, names_whole_server};

/// What a connection of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of coming requests that are kept while one is answered.
const AHEAD: usize = 16 * 1024;

impl Io {
    /// Whether the connection begins as one of HTTP/2.
    pub(in crate::connection) fn poll_is_http2(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        // A client that stops within the preface is told so as one of HTTP/1.1.
        while !self.buffer.starts_with(PREFACE) {
            if !PREFACE.starts_with(&self.buffer) || self.ended || self.connection.timed_out() {
                return Poll::Ready(Ok(false));
            }
            if !self.buffer.is_empty() {
                self.connection.in_head();
            }
            ready!(self.poll_fill(cx))?;
        }
        self.connection.is_http2();
        self.protocol = Protocol::Http2;
        self.ready = self.buffer.len();
        Poll::Ready(Ok(true))
    }

    /// Gives hyper the bytes of the buffer that it may see.
    pub(super) fn give(&mut self, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = self.ready.min(to.remaining());
        to.put_slice(&self.buffer[..count]);
        self.buffer.advance(count);
        self.ready -= count;
        Poll::Ready(Ok(()))
    }

    /// Makes hyper refuse what it is shown, once it has sent everything that comes before.
    pub(super) fn refuse(
        &mut self,
        status: &'static [u8],
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.protocol = Protocol::Refused(status);
        to.put_slice(&b"\0\r\n\r\n"[..to.remaining().min(5)]);
        Poll::Ready(Ok(()))
    }

    /// Reads more into the buffer; returns false at the end of the input.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if !self.ended {
            let mut space = [MaybeUninit::uninit(); PIECE];
            let mut piece = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece))?;
            self.buffer.extend_from_slice(piece.filled());
            self.note_end(piece.filled().is_empty());
        }
        Poll::Ready(Ok(!self.ended))
    }

    fn note_end(&mut self, ended: bool) {
        if ended {
            self.ended = true;
            self.connection.half_closed();
        }
    }

    /// Shows hyper the bytes of one request, and keeps what follows until it is answered.
    pub(super) fn read_http1(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let Protocol::Http1(message) = &mut self.protocol else { return Poll::Ready(Ok(())) };
            if message.is_complete() {
                if self.connection.is_counted() {
                    return self.read_ahead(cx);
                }
                *message = Message::default();
            }
            // Most requests come in one piece, which goes to hyper as it is.
            let before = to.filled().len();
            let direct = self.buffer.is_empty() && to.remaining() >= PIECE && !self.ended;
            if direct {
                ready!(Pin::new(&mut self.stream).poll_read(cx, to))?;
                self.note_end(to.filled().len() == before);
            } else if self.buffer.is_empty() {
                ready!(self.poll_fill(cx))?;
            }
            if self.ended && self.buffer.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let Protocol::Http1(message) = &mut self.protocol else { return Poll::Ready(Ok(())) };
            let bytes = if direct { &mut to.filled_mut()[before..] } else { &mut self.buffer[..] };
            let is_head = message.is_head();
            let followed = if is_head && bytes.starts_with(b"\r\n") {
                // RFC 9112 §2.2: empty lines before a request are ignored.
                if !direct {
                    self.buffer.advance(2);
                    continue;
                }
                Ok(0)
            } else {
                let followed = message.follow(bytes);
                if is_head && matches!(followed, Ok(1..)) {
                    self.connection.set_whole_server(names_whole_server(bytes));
                }
                followed
            };
            match followed {
                Ok(count) => {
                    if direct {
                        self.buffer.extend_from_slice(&to.filled()[before + count..]);
                        to.set_filled(before + count);
                    } else {
                        self.ready = count;
                    }
                    if direct && count > 0 {
                        return Poll::Ready(Ok(()));
                    }
                    if count > 0 {
                        return self.give(to);
                    }
                }
                Err(_) if is_head => {
                    to.set_filled(before);
                    return self.refuse(b"HTTP/1.1 400 Bad Request\r\n", to);
                }
                Err(why) => {
                    to.set_filled(before);
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                }
            }
            if self.buffer.len() > MAX_HEAD {
                return self.refuse(b"HTTP/1.1 431 Request Header Fields Too Large\r\n", to);
            }
            // The next pass drops empty lines; they are no head that has begun.
            if !self.buffer.starts_with(b"\r\n") {
                self.connection.in_head();
                if !ready!(self.poll_fill(cx))? {
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Reads on if a request is being answered. hyper does not: it would need another buffer for each request, while the
    /// first one is in use.
    pub(super) fn look_ahead(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match &self.protocol {
            Protocol::Http1(message) if message.is_complete() && self.connection.is_counted() => {
                match self.read_ahead(cx) {
                    Poll::Ready(Err(error)) => Err(error),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Reads on while a request is answered, to learn whether the client is still there.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.buffer.len() < AHEAD
            && let Poll::Ready(more) = self.poll_fill(cx)?
            && more
        {}
        if self.ended || !self.buffer.is_empty() {
            // These bytes were read already, so the socket does not wake the task for them: the last flush of the
            // response does.
            self.connection.holds_back();
        }
        Poll::Pending
    }
}
