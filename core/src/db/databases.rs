//! The databases of a process, as adapters see them: ready or not, planned how, to be closed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::future::join_all;

use super::settings::DatabaseUrl;
use super::{Drained, Error, Stats};
use crate::{ConfigError, Settings};

/// One database that was opened through a host, whatever its driver.
pub(crate) trait Held: Send + Sync {
    fn ready(&self, within: Duration) -> BoxFuture<'_, Result<(), Error>>;
    fn close(&self, within: Duration) -> BoxFuture<'_, Drained>;
    fn rest(&self);
    fn renew(&self, url: &DatabaseUrl) -> Result<(), ConfigError>;
    fn stats(&self) -> Stats;
    fn plan(&self) -> String;
}

/// The databases that an App has opened through its host.
#[derive(Clone, Default)]
pub struct Databases(Vec<Arc<dyn Held>>);

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
    /// `within`. What became of them, database by database.
    pub async fn close(&self, within: Duration) -> Vec<Drained> {
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

    /// Takes the password of `DATABASE_URL` from settings that were read again, for the connections to come;
    /// open ones go on. Passwords from a file or a provider are asked for anyway.
    ///
    /// # Errors
    /// [`ConfigError`] where the URL is none or names another database: then nothing changes.
    pub fn renew(&self, settings: &Settings) -> Result<(), ConfigError> {
        let Some(url) = DatabaseUrl::of(settings)? else { return Ok(()) };
        self.0.iter().try_for_each(|database| database.renew(&url))
    }

    /// The plan of each database, in a sentence with its arithmetic.
    #[must_use]
    pub fn plans(&self) -> Vec<String> {
        self.0.iter().map(|database| database.plan()).collect()
    }

    /// Each database in numbers, under names that differ.
    #[must_use]
    pub fn stats(&self) -> Vec<Stats> {
        let mut all: Vec<Stats> = Vec::new();
        for database in &self.0 {
            let mut stats = database.stats();
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

    pub(crate) fn push(&mut self, database: Arc<dyn Held>) {
        self.0.push(database);
    }
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.plans()).finish()
    }
}
