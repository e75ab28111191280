//! Messages to the service manager, over the socket that it names.

use std::fmt::Write as _;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Once};

use anyhost_core::{ConfigError, Settings};
use sd_notify::NotifyState;

/// The socket of the service manager, if there is one. A clone uses the same socket.
#[derive(Clone, Debug)]
pub(crate) struct Manager(Option<Arc<ManagerSocket>>);

#[derive(Debug)]
struct ManagerSocket {
    socket: UnixDatagram,
    address: SocketAddr,
    /// Logs the first failure alone: a keep-alive message fails again and again.
    warned: Once,
}

impl Manager {
    /// The manager behind `NOTIFY_SOCKET`, a path or an abstract name; none if it is not set.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let Some(name) = settings.text("NOTIFY_SOCKET") else { return Ok(Self(None)) };
        let address = match name.strip_prefix('@') {
            Some(name) => abstract_name(name),
            None => SocketAddr::from_pathname(name),
        };
        let wrong = |error: io::Error| ConfigError::new("NOTIFY_SOCKET", error.to_string());
        let address = address.map_err(wrong)?;
        let socket = UnixDatagram::unbound().map_err(wrong)?;
        // Nonblocking: a manager that reads slowly must not block this process.
        socket.set_nonblocking(true).map_err(wrong)?;
        Ok(Self(Some(Arc::new(ManagerSocket { socket, address, warned: Once::new() }))))
    }

    /// Sends these states in one message. A failure is ignored: the process keeps serving.
    pub(crate) fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(manager) = &self.0 else { return };
        let mut message = String::new();
        for state in states {
            // Writing to a string cannot fail.
            let _ = writeln!(message, "{state}");
        }
        if let Err(error) = manager.socket.send_to_addr(message.as_bytes(), &manager.address) {
            manager.warned.call_once(|| {
                let address = &manager.address;
                tracing::warn!(
                    "NOTIFY_SOCKET: systemd is not told how this process is: {address:?}: {error}"
                );
            });
        }
    }
}

#[cfg(target_os = "linux")]
fn abstract_name(name: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;

    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(name: &str) -> io::Result<SocketAddr> {
    Err(io::Error::other(format!(
        "expected a path, found the abstract name @{name}, which Linux alone has"
    )))
}
