//! The bytes under a connection: a socket, or TLS on one.

use std::net::{IpAddr, SocketAddr};

use anyhost_core::Scheme;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// The address and the scheme of a client; none has an address on a Unix socket.
pub(crate) type Client = (Option<IpAddr>, Scheme);

/// What bytes are read from and written to.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An accepted connection.
pub(crate) struct Transport {
    pub(super) stream: Box<dyn Stream>,
    /// The address of the peer; `None` on a Unix socket.
    pub(super) peer: Option<IpAddr>,
}

impl Transport {
    pub(crate) fn tcp(stream: TcpStream, peer: SocketAddr) -> Self {
        // A response in pieces must not wait for the client's acknowledgements. This fails only if the client is gone,
        // which the first read finds out.
        let _ = stream.set_nodelay(true);
        Self { stream: Box::new(stream), peer: Some(peer.ip().to_canonical()) }
    }

    pub(crate) fn unix(stream: UnixStream) -> Self {
        Self { stream: Box::new(stream), peer: None }
    }

    /// Shakes hands; what follows is TLS on this transport.
    ///
    /// # Errors
    /// If the client does not speak TLS, or no version that the server speaks.
    #[cfg(feature = "tls")]
    pub(super) async fn tls(self, acceptor: tokio_rustls::TlsAcceptor) -> std::io::Result<Self> {
        Ok(Self { stream: Box::new(acceptor.accept(self.stream).await?), ..self })
    }
}
