//! A host of the test: its paradigm, its settings, and the start of an App on it.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use anyhost_core::adapter::{
    Factory, Failure, Handler, HostHandles as _, ServiceHandler, migrate, start,
};
use anyhost_core::{App, Error, Host, Paradigm, Phase, Settings};

use crate::Running;
use crate::database::Database;

/// How long a stop may take, unless a test says something else.
const GRACE: Duration = Duration::from_secs(5);

/// A host that a test describes, on which it starts Apps. It reads nothing from the environment.
///
/// A clone has the same settings and the same throwaway database.
#[derive(Clone, Debug)]
#[must_use = "a host does nothing until an App is started on it"]
pub struct TestHost {
    paradigm: Paradigm,
    settings: Vec<(String, String)>,
    grace: Duration,
    database: Option<Arc<Database>>,
    migrates: bool,
}

impl TestHost {
    /// A host with one process for many requests, such as a container: its App listens on a loopback port.
    pub fn long_running() -> Self {
        Self::new(Paradigm::LongRunning)
    }

    /// A host with one request at a time, such as AWS Lambda: its App is given events, and can be frozen.
    pub fn serverless() -> Self {
        Self::new(Paradigm::Serverless)
    }

    pub(crate) fn new(paradigm: Paradigm) -> Self {
        Self { paradigm, settings: Vec::new(), grace: GRACE, database: None, migrates: false }
    }

    /// Sets an environment variable of the host. The last value of a name counts.
    pub fn setting(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// Sets how long [`Running::stop`] may take. Defaults to 5 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Makes a new file of SQLite the database, as `DATABASE_URL`. It is removed with the last clone of this host and
    /// the last App on it.
    pub fn sqlite(self) -> Self {
        self.with_database(Database::sqlite())
    }

    /// Creates a database on a PostgreSQL server and sets `DATABASE_URL` to it. The tests of one process share the
    /// server, which runs on a loopback port and ends with the process.
    ///
    /// # Panics
    /// If PostgreSQL's programs are not installed; see [`Postgres::is_installed`](crate::servers::Postgres::is_installed).
    pub fn postgres(self) -> Self {
        self.with_database(Database::postgres())
    }

    fn with_database(mut self, database: Database) -> Self {
        self = self.setting("DATABASE_URL", database.url());
        self.database = Some(Arc::new(database));
        self
    }

    /// Runs [`App::migrate`] before each start, as the verb `migrate` does in a deployment.
    pub fn migrated(mut self) -> Self {
        self.migrates = true;
        self
    }

    /// Starts an App and waits until it is ready.
    ///
    /// # Panics
    /// If it does not start, with the line that an operator would read.
    pub async fn start<A: App>(&self) -> Running<A> {
        started(self.try_start::<A>().await)
    }

    /// Starts an App and waits until it is ready.
    ///
    /// # Errors
    /// [`Failure`] with the exit code and the line that an operator would read.
    pub async fn try_start<A: App>(&self) -> Result<Running<A>, Failure> {
        if self.migrates {
            migrate(Factory::<A>::app(), &self.build()?).await?;
        }
        self.run(Factory::app()).await
    }

    /// Starts what `make` returns, an axum `Router` for instance, as `anyhost::serve` does.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn serve<F, S>(&self, make: F) -> Running<ServiceHandler<S>>
    where
        F: AsyncFnOnce(&Host) -> Result<S, Error> + Send + 'static,
        ServiceHandler<S>: Handler,
    {
        started(self.run(Factory::service(make)).await)
    }

    pub(crate) async fn run<H: Handler>(&self, factory: Factory<H>) -> Result<Running<H>, Failure> {
        let host = self.build()?;
        let app = start(factory, &host).await?;
        host.advance(Phase::Ready);
        Running::new(host, app, self.database.clone())
    }

    fn build(&self) -> Result<Host, Failure> {
        let host = Host::builder(self.paradigm, "test")
            .settings(Settings::from_pairs(self.settings.clone()))
            .grace(self.grace);
        Ok(host.build()?)
    }
}

#[track_caller]
fn started<H>(outcome: Result<Running<H>, Failure>) -> Running<H> {
    match outcome {
        Ok(running) => running,
        Err(failure) => panic!("the App did not start (exit {}): {failure}", failure.exit().code()),
    }
}
