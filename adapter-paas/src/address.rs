//! `HOST`: the one address to listen on, if the operator names one.

use std::net::{IpAddr, Ipv4Addr};

use anyhost_core::Settings;
use anyhost_core::adapter::Failure;
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
    pub(crate) fn of(settings: &Settings) -> Self {
        match settings.text("HOST") {
            None => Self::Everywhere,
            Some("localhost") => Self::One(Ipv4Addr::LOCALHOST.into()),
            Some(text) => {
                let literal = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
                let address = literal.unwrap_or(text).parse();
                address.map_or_else(|_| Self::Name(text.to_owned()), Self::One)
            }
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
        let of = |text: &str| Address::of(&Settings::from_pairs([("HOST", text)]));
        assert_eq!(of(""), Address::Everywhere);
        assert_eq!(of("localhost"), Address::One(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(of("127.0.0.1"), Address::One(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(of("[::1]"), of("::1"));
        assert_eq!(of("laptop"), Address::Name("laptop".into()));
    }

    #[test]
    fn one_address_is_bound_alone() {
        let one = Address::One(Ipv4Addr::LOCALHOST.into()).bind(0).expect("a port");
        let address = one[0].tcp_address().expect("a TCP socket");
        assert_eq!((one.len(), address.ip()), (1, IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
