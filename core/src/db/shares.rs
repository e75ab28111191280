//! The connections that each database of a process may open on each server.

use super::driver::ServerIdentity;
use crate::databases::Databases;

/// A database server: its name in the URL, and the identity that it reports.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// `host:port`.
    endpoint: String,
    identity: Option<ServerIdentity>,
}

impl Server {
    /// The server of a place, `host:port/database`.
    pub(super) fn from_place(place: &str, identity: Option<ServerIdentity>) -> Self {
        let endpoint = place.rsplit_once('/').map_or(place, |(endpoint, _)| endpoint);
        Self { endpoint: endpoint.to_owned(), identity }
    }

    /// Whether both are the same server. A name may stand for several servers, and several names for one.
    fn is(&self, other: &Self) -> bool {
        let same = |(one, two): (ServerIdentity, ServerIdentity)| one.is(two);
        self.endpoint == other.endpoint || self.identity.zip(other.identity).is_some_and(same)
    }
}

impl Databases {
    /// A sentence for each server that several databases share, with the sum of their connections.
    pub(crate) fn sums(&self) -> Vec<String> {
        let shares: Vec<(Server, usize)> =
            self.iter().filter_map(|database| database.share()).collect();
        let mut sums = Vec::new();
        for (index, (server, _)) in shares.iter().enumerate() {
            let is_first = !shares[..index].iter().any(|(other, _)| other.is(server));
            let sizes = shares.iter().filter(|(other, _)| other.is(server)).map(|(_, size)| *size);
            let sizes: Vec<usize> = sizes.collect();
            if is_first && sizes.len() > 1 {
                sums.push(format!(
                    "{}: {} = {} connections of this process together",
                    server.endpoint,
                    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" + "),
                    sizes.iter().sum::<usize>()
                ));
            }
        }
        sums
    }

    /// Connections that this process has given to databases on a server already.
    pub(super) fn taken(&self, server: &Server) -> usize {
        let shares = self.iter().filter_map(|database| database.share());
        shares.filter(|(other, _)| other.is(server)).map(|(_, size)| size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_name_or_by_what_it_says_of_itself() {
        let identity = |text| Some(ServerIdentity::new(text, 0));
        let one = Server::from_place("db.example:5432/shop", identity("a"));
        assert!(one.is(&Server::from_place("db.example:5432/other", None)));
        assert!(one.is(&Server::from_place("10.0.0.1:5432/shop", identity("a"))));
        assert!(!one.is(&Server::from_place("10.0.0.1:5432/shop", identity("b"))));
        assert!(!one.is(&Server::from_place("db.example:6432/shop", None)));
    }
}
