//! The databases of a process, as adapters see them: readiness, plans, numbers, the drain.

mod adopted;
mod close_report;
mod metric;
mod stats;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::future::join_all;

pub use crate::histogram::Times;
use crate::{ConfigError, Settings};

pub(crate) use adopted::ForeignPool;
pub use close_report::CloseReport;
pub use metric::{Metric, Reading};
pub use stats::{CloseCounts, Stats};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One database that was opened through a host, whatever its driver, or what takes its place.
pub(crate) trait DynDatabase: Send + Sync {
    /// Whether it shows a sign of life within this time.
    fn ready(&self, _within: Duration) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(std::future::ready(Ok(())))
    }

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

    /// The server, and the connections that this database may open there.
    #[cfg(feature = "db")]
    fn share(&self) -> Option<(crate::db::Server, usize)> {
        None
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
    /// The error of the first database that shows none within this time: a `db::Error`, or what the `ping` of an
    /// adopted pool said.
    pub async fn ready(&self, within: Duration) -> Result<(), BoxError> {
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
    /// for the connections to come; open ones go on. A password from a file or a provider is read for each
    /// connection anyway.
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
        let plans = self.0.iter().map(|database| database.plan());
        #[cfg(feature = "db")]
        let plans = plans.chain(self.sums());
        plans.collect()
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

    /// The numbers of all databases under the names of OpenTelemetry's conventions.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.stats().iter().flat_map(|stats| stats.metrics()).collect()
    }

    #[cfg(feature = "db")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn DynDatabase>> {
        self.0.iter()
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
