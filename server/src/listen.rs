//! Bound sockets: where requests come in.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use anyhost_core::adapter::{Exit, Failure};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait in the kernel to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A bound socket on which the server accepts connections, and what is spoken on it.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: Socket,
    tls: bool,
    /// Another process keeps the socket open after this one has ended.
    pub(crate) outlives: bool,
}

impl Listener {
    fn new(socket: Socket) -> Self {
        Self { socket, tls: false, outlives: false }
    }

    /// A TCP or Unix listener that another process, such as systemd, has bound and handed over. Connections in its
    /// queue when this process stops wait for the next process.
    ///
    /// # Errors
    /// [`Exit::Bind`] if the descriptor is not a listening socket.
    pub fn inherited(descriptor: OwnedFd) -> Result<Self, Failure> {
        let number = descriptor.as_raw_fd();
        let wrong = |what: &str| {
            Failure::new(Exit::Bind, format!("cannot listen on descriptor {number}: {what}"))
        };
        let socket = Socket::from(descriptor);
        let listens = is_listening(&socket).map_err(|error| wrong(&error.to_string()))?;
        if !listens || socket.r#type().ok() != Some(Type::STREAM) {
            return Err(wrong("it is not a listening stream socket"));
        }
        let address = socket.local_addr().map_err(|error| wrong(&error.to_string()))?;
        if address.as_socket().is_none() && !address.is_unix() {
            return Err(wrong("it is neither a TCP nor a Unix socket"));
        }
        Ok(Self { outlives: true, ..Self::new(socket) })
    }

    /// The same socket, on which TLS is spoken with the certificate of [`Config::tls`](crate::Config::tls).
    #[must_use]
    pub fn with_tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Whether TLS is spoken on it.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        self.tls
    }

    /// The address of a TCP socket.
    #[must_use]
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::new(listener.into())
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::new(listener.into())
    }
}

/// The address a client would connect to.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket.local_addr() {
            Ok(address) => match (address.as_socket(), address.as_pathname()) {
                (Some(address), _) => address.fmt(f)?,
                (None, path) => write!(f, "unix:{}", path.unwrap_or(Path::new("")).display())?,
            },
            Err(_) => f.write_str("a socket")?,
        }
        f.write_str(if self.tls { " with TLS" } else { "" })
    }
}

/// Binds a TCP address. An IPv6 address takes IPv4 connections too if it is the unspecified one.
///
/// # Errors
/// [`Exit::Bind`] names the address and the reason.
pub fn bind_tcp(address: SocketAddr) -> Result<Listener, Failure> {
    tcp(address).map(Listener::new).map_err(|error| failure(address, &error))
}

/// Binds a port on every address of this machine, IPv6 and IPv4.
///
/// # Errors
/// [`Exit::Bind`] names the address and the reason.
pub fn bind_everywhere(port: u16) -> Result<Vec<Listener>, Failure> {
    let six = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let listener = match tcp(six) {
        Ok(socket) => Listener::new(socket),
        Err(error)
            if [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied]
                .contains(&error.kind()) =>
        {
            return Err(failure(six, &error));
        }
        // A machine without IPv6 has no such socket or no such address.
        Err(_) => bind_tcp((Ipv4Addr::UNSPECIFIED, port).into())?,
    };
    Ok(vec![listener])
}

/// Whether it listens; elsewhere than on Linux the first `accept` finds out.
fn is_listening(socket: &Socket) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    return socket.is_listener();
    #[cfg(not(target_os = "linux"))]
    return socket.local_addr().map(|_| true);
}

fn tcp(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A restart must not wait for connections of the last process that linger in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Binds a Unix socket. A socket file without a listener was left by a process that died, and is replaced.
/// Any other file stays.
///
/// # Errors
/// [`Exit::Bind`] names the path and the reason.
pub fn bind_unix(path: &Path) -> Result<Listener, Failure> {
    let named = |error| failure(format_args!("unix:{}", path.display()), &error);
    unix(path).map(Listener::new).map_err(named)
}

fn unix(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let address = socket2::SockAddr::unix(path)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
                let text = "a file is there that is no socket; remove it, or name another path";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
            }
            if !abandoned(path) {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            socket.bind(&address)?;
        }
        outcome => outcome?,
    }
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Whether no process listens on a socket file.
fn abandoned(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The message if a socket cannot be bound: the operating system's text without the error number.
fn failure(address: impl fmt::Display, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => "the address is already in use".into(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    };
    Failure::new(Exit::Bind, format!("cannot listen on {address}: {reason}"))
}
