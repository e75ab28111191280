//! The connections that each database of a process may open on each server.

use super::driver::ServerIdentity;
use crate::databases::Databases;

/// Connections that a database of this process may open on a server.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) server: Server,
    pub(crate) size: usize,
}

/// A database server: its name in the URL, and the identity that it reports.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// `host:port`.
    endpoint: String,
    identity: Option<ServerIdentity>,
}

impl Server {
    /// The server of a place, `host:port/database`.
    pub(super) fn of(place: &str, identity: Option<ServerIdentity>) -> Self {
        let endpoint = place.rsplit_once('/').map_or(place, |(endpoint, _)| endpoint);
        Self { endpoint: endpoint.to_owned(), identity }
    }

    /// Whether both are one. A name may stand for several servers, and several names for one.
    fn is(&self, other: &Self) -> bool {
        let same = |(one, two): (ServerIdentity, ServerIdentity)| one.is(two);
        self.endpoint == other.endpoint || self.identity.zip(other.identity).is_some_and(same)
    }
}

impl Databases {
    /// A sentence for each server that several databases share, with the sum of their connections.
    pub(crate) fn sums(&self) -> Vec<String> {
        let mut plans = Vec::new();
        let shares: Vec<Share> = self.iter().filter_map(|database| database.share()).collect();
        for (index, share) in shares.iter().enumerate() {
            let of_server: Vec<&Share> =
                shares.iter().filter(|other| other.server.is(&share.server)).collect();
            let is_first = !shares[..index].iter().any(|other| other.server.is(&share.server));
            if of_server.len() > 1 && is_first {
                let sizes: Vec<String> =
                    of_server.iter().map(|share| share.size.to_string()).collect();
                let sum: usize = of_server.iter().map(|share| share.size).sum();
                plans.push(format!(
                    "{}: {} = {sum} connections of this process together",
                    share.server.endpoint,
                    sizes.join(" + ")
                ));
            }
        }
        plans
    }

    /// Connections that this process has given to databases on a server already.
    pub(super) fn taken(&self, server: &Server) -> usize {
        let shares = self.iter().filter_map(|database| database.share());
        shares.filter(|share| share.server.is(server)).map(|share| share.size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_name_or_by_what_it_says_of_itself() {
        let identity = |text| Some(ServerIdentity::new(text, 0));
        let one = Server::of("db.example:5432/shop", identity("a"));
        assert!(one.is(&Server::of("db.example:5432/other", None)));
        assert!(one.is(&Server::of("10.0.0.1:5432/shop", identity("a"))));
        assert!(!one.is(&Server::of("10.0.0.1:5432/shop", identity("b"))));
        assert!(!one.is(&Server::of("db.example:6432/shop", None)));
    }
}
