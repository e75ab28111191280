//! A connection that is begun before the tokio runtime exists.

use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

use super::Endpoint;

/// A connection to the Runtime API in progress: the API accepts it while this process prepares itself.
#[derive(Debug)]
pub(crate) struct Ahead(Socket);

impl Ahead {
    /// Begins to connect; `None` if the API has a name that must be looked up, or if it fails at once.
    pub(crate) fn begin(endpoint: &Endpoint) -> Option<Self> {
        let (name, port) = endpoint.address();
        let address = SocketAddr::new(name.parse::<IpAddr>().ok()?, port);
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).ok()?;
        socket.set_nonblocking(true).ok()?;
        match socket.connect(&address.into()) {
            Ok(()) => Some(Self(socket)),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INPROGRESS) => {
                Some(Self(socket))
            }
            Err(_) => None,
        }
    }

    /// Waits until it is connected.
    pub(super) async fn connected(self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::from_std(self.0.into())?;
        stream.writable().await?;
        match stream.take_error()? {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    }
}
