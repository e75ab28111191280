//! The bytes under a connection: a socket, or TLS on one.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
#[cfg(feature = "tls")]
use std::task::Waker;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

use crate::tls::TlsAcceptor;

/// How much is read at once to see what a connection begins with. Most heads are shorter: then the
/// first request costs no more reading than any other.
const FIRST_READ: usize = 4096;

/// What a connection reads and writes.
#[derive(Debug)]
pub(crate) struct Transport {
    /// Bytes that were read to see what they are, and are still to be read.
    early: Vec<u8>,
    socket: Socket,
    peer: Option<IpAddr>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<Transport>>),
}

impl Transport {
    pub(crate) fn tcp(stream: TcpStream, peer: SocketAddr) -> Self {
        // A response that comes in pieces must not wait for the client's acknowledgements. It fails if the client is
        // gone, which shows at the first read.
        let _ = stream.set_nodelay(true);
        let peer = Some(peer.ip().to_canonical());
        Self { early: Vec::new(), socket: Socket::Tcp(stream), peer }
    }

    pub(crate) fn unix(stream: UnixStream) -> Self {
        Self { early: Vec::new(), socket: Socket::Unix(stream), peer: None }
    }

    /// The address of who connected; `None` on a Unix socket.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// TLS on this transport, once client and server have shaken hands.
    ///
    /// # Errors
    /// Where the client does not speak it, or not as we do.
    #[cfg(feature = "tls")]
    pub(super) async fn tls(self, acceptor: TlsAcceptor) -> io::Result<Self> {
        let peer = self.peer;
        let stream = acceptor.accept(self).await?;
        Ok(Self { early: Vec::new(), socket: Socket::Tls(Box::new(stream)), peer })
    }

    #[cfg(not(feature = "tls"))]
    pub(super) async fn tls(self, acceptor: TlsAcceptor) -> io::Result<Self> {
        match acceptor {}
    }

    /// What client and server have agreed to speak inside TLS.
    pub(super) fn agreed(&self) -> Option<&[u8]> {
        match &self.socket {
            #[cfg(feature = "tls")]
            Socket::Tls(stream) => stream.get_ref().1.alpn_protocol(),
            Socket::Tcp(_) | Socket::Unix(_) => None,
        }
    }

    /// The bytes that were read early.
    pub(super) fn early(&self) -> &[u8] {
        &self.early
    }

    /// Drops the first of the bytes that were read early: they are understood.
    pub(super) fn take_early(&mut self, count: usize) {
        self.early.drain(..count);
    }

    /// Reads more bytes early, and says how many have come: 0 at the end.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); FIRST_READ];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer))?;
        self.early.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

/// A client must be able to tell the end of TLS from a connection that was cut.
#[cfg(feature = "tls")]
impl Drop for Transport {
    fn drop(&mut self) {
        if let Socket::Tls(stream) = &mut self.socket {
            // Best effort: a socket that is full has nobody who reads.
            let _ = Pin::new(&mut **stream).poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }
}

macro_rules! each {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            Socket::Tcp(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Socket::Unix(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            #[cfg(feature = "tls")]
            Socket::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buffer);
        }
        let count = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..count]);
        if count == self.early.len() {
            self.early = Vec::new();
        } else {
            self.early.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(&mut self.socket, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(&mut self.socket, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.socket, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.socket, stream => stream.poll_shutdown(cx))
    }
}
