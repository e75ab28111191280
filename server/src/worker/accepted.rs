//! A connection on its way from who accepts it to who serves it.

use std::io;
use std::net::SocketAddr;

use crate::connection::Transport;

/// A connection that nobody serves yet; its socket does not block.
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    pub(crate) tls: bool,
}

pub(crate) enum Stream {
    Tcp(std::net::TcpStream, SocketAddr),
    Unix(std::os::unix::net::UnixStream),
}

/// Registers an accepted socket with the runtime of this worker.
pub(super) fn open(stream: Stream) -> io::Result<(Transport, Option<SocketAddr>)> {
    match stream {
        Stream::Tcp(stream, peer) => {
            // A response that comes in pieces must not wait for the client's acknowledgements.
            stream.set_nodelay(true)?;
            let stream = tokio::net::TcpStream::from_std(stream)?;
            Ok((stream.into(), Some(peer)))
        }
        Stream::Unix(stream) => Ok((tokio::net::UnixStream::from_std(stream)?.into(), None)),
    }
}
