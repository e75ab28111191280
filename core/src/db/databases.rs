//! The databases of a process, as adapters see them: readiness, plans, numbers, the drain.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::future::join_all;

use super::driver::ServerIdentity;
use super::{CloseReport, Error, Stats};
use crate::{ConfigError, Settings};

/// One database that was opened through a host, whatever its driver, or what takes its place.
pub(crate) trait DynDatabase: Send + Sync {
    fn ready(&self, within: Duration) -> BoxFuture<'_, Result<(), Error>>;
    fn close(&self, within: Duration) -> BoxFuture<'_, CloseReport>;

    /// Gives up what must not be kept through a freeze.
    fn rest(&self) {}

    /// Takes the password from settings that were read again, once `check` has found them right everywhere.
    fn renew(&self, _settings: &Settings, _check: bool) -> Result<(), ConfigError> {
        Ok(())
    }

    fn stats(&self) -> Option<Stats> {
        None
    }

    /// The plan, in a sentence.
    fn plan(&self) -> String;

    /// What it takes of which server.
    fn share(&self) -> Option<Share> {
        None
    }
}

/// Connections that a database of this process may open on a server.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) server: Server,
    pub(crate) size: usize,
}

/// A database server: its name in the URL, and its own identity.
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

/// The databases that an App has opened through its host.
#[derive(Clone, Default)]
pub struct Databases(Vec<Arc<dyn DynDatabase>>);

impl Databases {
    /// Whether every database shows a sign of life; `Ok` if there is none. A pool that is busy is ready: it need
    /// not have a connection left for the question, which stands in no queue.
    ///
    /// # Errors
    /// The first database's [`Error`] that shows none within this time.
    pub async fn ready(&self, within: Duration) -> Result<(), Error> {
        let answers = join_all(self.0.iter().map(|database| database.ready(within)));
        answers.await.into_iter().collect()
    }

    /// Closes every connection: idle ones at once, those in use when they come back, at the latest after
    /// `within`. Returns a report for each database.
    pub async fn close(&self, within: Duration) -> Vec<CloseReport> {
        join_all(self.0.iter().map(|database| database.close(within))).await
    }

    /// Gives up what must not be kept through a freeze, without waiting for anything: a serverless host calls
    /// it after each request, before it asks for the next.
    ///
    /// A connection of a server that has few left is closed, since others wait for it while this process
    /// sleeps; otherwise connections are kept. On a long-running host nothing happens.
    pub fn rest(&self) {
        for database in &self.0 {
            database.rest();
        }
    }

    /// Takes the passwords of `DATABASE_URL` and of the URLs of other databases from settings that were read again,
    /// for the connections to come; open ones go on. PasswordProvider from a file or a provider are asked for anyway.
    ///
    /// # Errors
    /// [`ConfigError`] if a URL is none or names another database: then nothing changes.
    pub fn renew(&self, settings: &Settings) -> Result<(), ConfigError> {
        for check in [true, false] {
            self.0.iter().try_for_each(|database| database.renew(settings, check))?;
        }
        Ok(())
    }

    /// The plan of each database, in a sentence with its arithmetic; and for each server that several of them share
    /// the sum.
    #[must_use]
    pub fn plans(&self) -> Vec<String> {
        let mut plans: Vec<String> = self.0.iter().map(|database| database.plan()).collect();
        let shares: Vec<Share> = self.0.iter().filter_map(|database| database.share()).collect();
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

    /// Each database in numbers, under names that differ.
    #[must_use]
    pub fn stats(&self) -> Vec<Stats> {
        let mut all: Vec<Stats> = Vec::new();
        for mut stats in self.0.iter().filter_map(|database| database.stats()) {
            let name = stats.pool.clone();
            let mut number = 1;
            while all.iter().any(|other| other.pool == stats.pool) {
                number += 1;
                stats.pool = format!("{name} ({number})");
            }
            all.push(stats);
        }
        all
    }

    /// Connections that this process has given to databases on a server already.
    pub(super) fn taken(&self, server: &Server) -> usize {
        let shares = self.0.iter().filter_map(|database| database.share());
        shares.filter(|share| share.server.is(server)).map(|share| share.size).sum()
    }

    pub(crate) fn push(&mut self, database: Arc<dyn DynDatabase>) {
        self.0.push(database);
    }
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.plans()).finish()
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
