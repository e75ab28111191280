//! A list of networks, as settings name whom to trust.

use std::net::IpAddr;

use anyhost_core::Setting;
use ipnet::IpNet;

/// Networks whose hosts are trusted: `10.0.0.0/8, fd00::/8, 192.0.2.7, unix`.
///
/// The word `unix` stands for peers on a Unix socket, which have no address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    networks: Vec<IpNet>,
    unix: bool,
}

impl Networks {
    /// Whether a peer is in one of the networks; `None` is the peer on a Unix socket.
    #[must_use]
    pub fn contain(&self, peer: Option<IpAddr>) -> bool {
        match peer {
            None => self.unix,
            Some(address) => {
                // A socket that takes both families shows IPv4 peers inside IPv6.
                let address = address.to_canonical();
                self.networks.iter().any(|network| network.contains(&address))
            }
        }
    }
}

impl Setting for Networks {
    fn expected() -> String {
        "addresses or networks such as 10.0.0.0/8, fd00::/8 or unix, separated by commas".into()
    }

    fn parse(text: &str) -> Option<Self> {
        let mut networks = Self::default();
        for part in text.split(',').map(str::trim) {
            match part {
                "unix" | "unix:" => networks.unix = true,
                _ => networks
                    .networks
                    .push(part.parse().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)).ok()?),
            }
        }
        Some(networks)
    }
}
