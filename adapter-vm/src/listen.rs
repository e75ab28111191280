//! `LISTEN`: the addresses on which a process on a VM takes connections.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use anyhost_core::adapter::{Exit, Failure};
use anyhost_core::{ConfigError, Setting};
use anyhost_server::{Listener, bind_tcp, bind_unix};

/// The addresses to listen on, in the order they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses(Vec<Address>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

/// The loopback address, unless the settings name another: a proxy stands in front.
impl Default for Addresses {
    fn default() -> Self {
        Self(vec![Address::Tcp { host: "127.0.0.1".into(), port: 8080, tls: false }])
    }
}

impl Setting for Addresses {
    fn expected() -> String {
        "addresses such as 127.0.0.1:8080, tls://[::]:443 or unix:/run/app.sock, separated by commas"
            .into()
    }

    fn parse(text: &str) -> Option<Self> {
        text.split(',').map(|part| Address::parse(part.trim())).collect::<Option<_>>().map(Self)
    }
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        let (text, tls) = match text.strip_prefix("tls://") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let host = match host.strip_prefix('[') {
            Some(literal) => literal.strip_suffix(']')?,
            // An IPv6 address needs brackets: without them the port cannot be told apart.
            None if host.contains(':') => return None,
            None => host,
        };
        (!host.is_empty()).then(|| Self::Tcp { host: host.into(), port, tls })
    }

    fn bind(&self) -> Result<Vec<Listener>, Failure> {
        match self {
            Self::Unix(path) => Ok(vec![bind_unix(path)?]),
            Self::Tcp { host, port, tls } => {
                let found: Vec<SocketAddr> = (host.as_str(), *port)
                    .to_socket_addrs()
                    .map_err(|error| {
                        Failure::new(Exit::Bind, format!("cannot listen on {self}: {error}"))
                    })?
                    .collect();
                found
                    .into_iter()
                    .map(bind_tcp)
                    .map(|bound| bound.map(|bound| if *tls { bound.with_tls() } else { bound }))
                    .collect()
            }
        }
    }
}

impl Addresses {
    /// No addresses.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Each address as text, as the setting has it.
    pub(crate) fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }

    /// Checks that there is a certificate if a listener needs one, and the other way round. The server checks it too when
    /// it has bound its sockets; the verb `check` binds none.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable.
    pub(crate) fn check_tls(
        &self,
        has_certificate: bool,
        inherited: &[Listener],
    ) -> Result<(), ConfigError> {
        let own = self.0.iter().find(|address| matches!(address, Address::Tcp { tls: true, .. }));
        let own = own.map(|address| address.to_string().replacen("tls://", "", 1) + " with TLS");
        let inherited = inherited.iter().find(|listener| listener.speaks_tls());
        let problem = match own.or_else(|| inherited.map(ToString::to_string)) {
            Some(listener) if !cfg!(feature = "tls") => {
                format!("{listener} needs it, and this program is built without the feature `tls`")
            }
            Some(listener) if !has_certificate => format!("is not set, and {listener} needs it"),
            None if has_certificate => "is set, and no listener speaks TLS".to_owned(),
            _ => return Ok(()),
        };
        Err(ConfigError::new("TLS_CERTIFICATE", problem))
    }

    /// Binds every address that none of the passed sockets has, and returns all sockets.
    ///
    /// # Errors
    /// [`Exit::Bind`] names the first address that cannot be bound.
    pub(crate) fn bind(&self, inherited: Vec<Listener>) -> Result<Vec<Listener>, Failure> {
        let place =
            |listener: &Listener| listener.to_string().trim_end_matches(" with TLS").to_owned();
        let there: Vec<String> = inherited.iter().map(place).collect();
        let mut listeners = inherited;
        for address in &self.0 {
            let text = address.to_string();
            if !there.iter().any(|place| place == text.trim_start_matches("tls://")) {
                listeners.extend(address.bind()?);
            }
        }
        Ok(listeners)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, tls } => {
                f.write_str(if *tls { "tls://" } else { "" })?;
                match host.contains(':') {
                    true => write!(f, "[{host}]:{port}"),
                    false => write!(f, "{host}:{port}"),
                }
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_what_they_were_written_as() {
        for text in [
            "127.0.0.1:8080",
            "[::1]:80",
            "localhost:0",
            "unix:/run/a.sock, [::]:8080",
            "tls://[::]:443",
        ] {
            let parsed = Addresses::parse(text).expect(text);
            assert_eq!(parsed.texts().collect::<Vec<_>>().join(", "), text);
        }
        for wrong in
            ["8080", ":8080", "::1:80", "unix:relative", "a:99999", "a:80,", "[::1:80", "tls:a:80"]
        {
            assert_eq!(Addresses::parse(wrong), None, "{wrong}");
        }
    }
}
