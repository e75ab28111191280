//! Bound sockets: where requests come in.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use anyhost_core::{Exit, Failure};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait in the kernel to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A bound socket on which the server accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// A TCP socket.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

/// The address a client would connect to.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => fmt::Display::fmt(&address, f),
                Err(_) => f.write_str("a TCP socket"),
            },
            Self::Unix(listener) => match listener.local_addr() {
                Ok(address) => match address.as_pathname() {
                    Some(path) => write!(f, "unix:{}", path.display()),
                    None => f.write_str("unix:"),
                },
                Err(_) => f.write_str("a Unix socket"),
            },
        }
    }
}

/// Binds a TCP address. An IPv6 address takes IPv4 connections too where it is the unspecified one.
///
/// # Errors
/// [`Exit::Bind`] names the address and the reason.
pub fn bind_tcp(address: SocketAddr) -> Result<Listener, Failure> {
    tcp(address).map(Listener::Tcp).map_err(|error| {
        Failure::new(Exit::Bind, format!("cannot listen on {address}: {}", reason(&error)))
    })
}

/// Binds a port on every address of this machine, IPv6 and IPv4.
///
/// # Errors
/// [`Exit::Bind`] names the address and the reason.
pub fn bind_everywhere(port: u16) -> Result<Vec<Listener>, Failure> {
    let (six, four) = (Ipv6Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
    match tcp((six, port).into()) {
        Ok(listener) => Ok(vec![Listener::Tcp(listener)]),
        // A machine without IPv6 has no such socket or no such address.
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(vec![bind_tcp((four, port).into())?])
        }
        Err(_) => Ok(vec![bind_tcp((six, port).into())?]),
    }
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A restart must not wait for connections of the last process that linger in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Binds a Unix socket. A socket file that nobody listens on is what a process left that died: it is
/// replaced. Any other file stays.
///
/// # Errors
/// [`Exit::Bind`] names the path and the reason.
pub fn bind_unix(path: &Path) -> Result<Listener, Failure> {
    unix(path).map(Listener::Unix).map_err(|error| {
        Failure::new(
            Exit::Bind,
            format!("cannot listen on unix:{}: {}", path.display(), reason(&error)),
        )
    })
}

fn unix(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let address = socket2::SockAddr::unix(path)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && abandoned(path) => {
            std::fs::remove_file(path)?;
            socket.bind(&address)?;
        }
        outcome => outcome?,
    }
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn abandoned(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The words of an operating system error without its number.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the address is already in use".into(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_named() {
        let first = bind_tcp(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let Listener::Tcp(listener) = &first else { panic!("a TCP listener") };
        let address = listener.local_addr().expect("bound");
        let failure = bind_tcp(address).expect_err("the port is taken");
        assert_eq!(failure.exit(), Exit::Bind);
        assert_eq!(
            failure.to_string(),
            format!("cannot listen on {address}: the address is already in use")
        );
    }
}
