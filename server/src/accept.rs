//! Accepts connections on one socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhost_core::Phase;
use anyhost_core::adapter::Handler;
use socket2::{SockRef, Socket};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::Listener;
use crate::connection::{Stage, Transport};
use crate::connections::spawn;
use crate::shared::Shared;

/// How long to wait if the process or the machine has no file descriptor left.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// Accepts on one socket until the server closes; then takes what the kernel has accepted already, so that
/// no connected client is turned away. If the socket outlives this process, connections wait in its
/// queue instead, for the App to start and after the stop for the next process.
pub(crate) async fn accept<A: Handler>(
    listener: Listener,
    shared: Arc<Shared<A>>,
) -> io::Result<()> {
    let (tls, outlives) = (listener.speaks_tls(), listener.outlives);
    let acceptor = Acceptor::new(listener.socket)?;
    if outlives {
        tokio::select! {
            biased;
            () = shared.connections.reached(Stage::Closing) => return Ok(()),
            () = shared.host.lifecycle().wait_for(Phase::Ready) => {}
        }
    }
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.connections.reached(Stage::Closing) => break,
            accepted = async {
                shared.connections.room().await;
                acceptor.accept().await
            } => accepted,
        };
        match accepted {
            Ok(transport) => spawn(&shared, transport, tls),
            Err(error) => pause(&error).await,
        }
    }
    if outlives {
        return Ok(());
    }
    while let Ok(transport) = acceptor.accept_now() {
        spawn(&shared, transport, tls);
    }
    Ok(())
}

/// A listening socket that the runtime waits for.
enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(if socket.local_addr()?.is_unix() {
            Self::Unix(UnixListener::from_std(socket.into())?)
        } else {
            Self::Tcp(TcpListener::from_std(socket.into())?)
        })
    }

    async fn accept(&self) -> io::Result<Transport> {
        Ok(match self {
            Self::Tcp(socket) => {
                socket.accept().await.map(|(stream, peer)| Transport::tcp(stream, peer))?
            }
            Self::Unix(socket) => Transport::unix(socket.accept().await?.0),
        })
    }

    /// Accepts a connection from the kernel's queue without waiting for the runtime's readiness event.
    fn accept_now(&self) -> io::Result<Transport> {
        let (stream, peer) = match self {
            Self::Tcp(socket) => SockRef::from(socket).accept()?,
            Self::Unix(socket) => SockRef::from(socket).accept()?,
        };
        stream.set_nonblocking(true)?;
        Ok(match peer.as_socket() {
            Some(peer) => Transport::tcp(TcpStream::from_std(stream.into())?, peer),
            None => Transport::unix(UnixStream::from_std(stream.into())?),
        })
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
