//! Accepts connections on one socket.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use anyhost_core::Phase;
use anyhost_core::adapter::Handler;
use tokio::sync::watch;

use crate::Listener;
use crate::connection::Transport;
use crate::connections::Connections;
use crate::listen::Bound;
use crate::shared::Shared;

/// How long to wait if the process or the machine has no file descriptor left.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// Accepts on one socket until told to stop; then takes what the kernel has accepted already, so that
/// nobody who is connected is turned away. If the socket outlives this process, connections wait in its
/// queue instead, for the App to start and after the stop for the next process.
pub(crate) async fn accept<A: Handler>(
    listener: Listener,
    shared: Arc<Shared<A>>,
    connections: Arc<Connections>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let (tls, outlives) = (listener.speaks_tls(), listener.outlives);
    let socket = Socket::new(listener)?;
    if outlives {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = shared.host.life().reached(Phase::Ready) => {}
        }
    }
    loop {
        let accepted = tokio::select! {
            biased;
            // Also if the server is gone and nobody is left to accept for.
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = async {
                connections.room().await;
                socket.accept().await
            } => accepted,
        };
        match accepted {
            Ok(transport) => connections.serve(&shared, transport, tls),
            Err(error) => pause(&error).await,
        }
    }
    if outlives {
        return Ok(());
    }
    while let Ok(transport) = socket.accept_now() {
        connections.serve(&shared, transport, tls);
    }
    Ok(())
}

/// A listening socket, waited for through the runtime and asked directly.
enum Socket {
    Tcp(tokio::net::TcpListener, TcpListener),
    Unix(tokio::net::UnixListener, UnixListener),
}

impl Socket {
    fn new(listener: Listener) -> io::Result<Self> {
        Ok(match listener.socket {
            Bound::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                Self::Tcp(tokio::net::TcpListener::from_std(socket.try_clone()?)?, socket)
            }
            Bound::Unix(socket) => {
                socket.set_nonblocking(true)?;
                Self::Unix(tokio::net::UnixListener::from_std(socket.try_clone()?)?, socket)
            }
        })
    }

    async fn accept(&self) -> io::Result<Transport> {
        match self {
            Self::Tcp(socket, _) => {
                let (stream, peer) = socket.accept().await?;
                Ok(Transport::tcp(stream, peer))
            }
            Self::Unix(socket, _) => Ok(Transport::unix(socket.accept().await?.0)),
        }
    }

    /// A connection that waits in the kernel, whether or not the runtime has heard of it.
    fn accept_now(&self) -> io::Result<Transport> {
        match self {
            Self::Tcp(_, socket) => {
                let (stream, peer) = socket.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Transport::tcp(tokio::net::TcpStream::from_std(stream)?, peer))
            }
            Self::Unix(_, socket) => {
                let (stream, _) = socket.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Transport::unix(tokio::net::UnixStream::from_std(stream)?))
            }
        }
    }
}

async fn pause(error: &io::Error) {
    match error.kind() {
        // The client is gone already, or a signal came: the next one may be fine.
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::Interrupted => {}
        _ => {
            tracing::warn!("cannot accept connections for the moment: {error}");
            tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
        }
    }
}
