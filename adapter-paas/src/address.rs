//! `HOST`: the one address to listen on, if the operator names one.

use std::net::{IpAddr, Ipv4Addr};

use anyhost_core::adapter::Failure;
use anyhost_core::{ConfigError, Settings};
use anyhost_server::{Listener, bind_everywhere, bind_tcp};

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// On every address: a router is on another machine.
    Everywhere,
    /// On this address only.
    One(IpAddr),
    /// On every address, because the value is not an address: shells set `HOST` to the name of the machine.
    Name(String),
}

impl Address {
    /// # Errors
    /// [`ConfigError`] if the value can be no name of a machine either.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let Some(text) = settings.text("HOST") else { return Ok(Self::Everywhere) };
        if text == "localhost" {
            return Ok(Self::One(Ipv4Addr::LOCALHOST.into()));
        }
        let literal = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        match literal.unwrap_or(text).parse() {
            Ok(address) => Ok(Self::One(address)),
            // Digits and dots alone are an address with an error in it, and must not open every address.
            Err(_)
                if text.contains([':', '/', ' '])
                    || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') =>
            {
                let problem =
                    format!("expected an IP address or localhost, without a port, found {text:?}");
                Err(ConfigError::new("HOST", problem))
            }
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }

    /// # Errors
    /// If the port cannot be bound there.
    pub(crate) fn bind(&self, port: u16) -> Result<Vec<Listener>, Failure> {
        match self {
            Self::Everywhere => bind_everywhere(port),
            Self::One(address) if address.is_unspecified() => bind_everywhere(port),
            Self::One(address) => Ok(vec![bind_tcp((*address, port).into())?]),
            Self::Name(name) => {
                tracing::warn!(
                    "HOST: expected an IP address or localhost, found {name:?}; listening on every address"
                );
                bind_everywhere(port)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_and_the_name_of_a_machine_is_none() {
        let of = |text: &str| Address::from_settings(&Settings::from_pairs([("HOST", text)]));
        assert_eq!(of(""), Ok(Address::Everywhere));
        assert_eq!(of("localhost"), Ok(Address::One(Ipv4Addr::LOCALHOST.into())));
        assert_eq!(of("127.0.0.1"), Ok(Address::One(Ipv4Addr::LOCALHOST.into())));
        assert_eq!(of("[::1]"), of("::1"));
        assert_eq!(of("laptop"), Ok(Address::Name("laptop".into())));
        for wrong in [
            "127.0.0.1:80",
            "[::1]:80",
            "http://127.0.0.1",
            "my host",
            "127.0.1",
            "127.0.0.256",
            "0",
        ] {
            assert_eq!(of(wrong).expect_err("no name of a machine").variable(), "HOST");
        }
    }

    #[test]
    fn one_address_is_bound_alone() {
        let one = Address::One(Ipv4Addr::LOCALHOST.into()).bind(0).expect("a port");
        let address = one[0].tcp_address().expect("a TCP socket");
        assert_eq!((one.len(), address.ip()), (1, IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
