//! The builder that opens or migrates a database.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions;
use tokio::time::Instant;

use super::connect::{Connector, connect_until};
use super::credentials::{Credentials, PasswordProvider};
use super::driver::{Driver, Tuning};
use super::foreign_plan::ForeignPlan;
use super::plan::{Inputs, Plan};
use super::pool::Pool;
use super::settings::{DatabaseSettings, DatabaseUrl, Pooler};
use super::shares::Server;
use super::{Db, Error};
use crate::{ConfigError, Host, HostHandles as _, Paradigm};

/// How long connecting is tried at the start of a long-running process, and before migrations; then a supervisor
/// starts the process again.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server that cannot be reached is tried at start on a serverless host: Lambda gives an init ten seconds,
/// and the error has to be reported before they are over.
const INIT_TIMEOUT: Duration = Duration::from_secs(8);

/// Chooses the database to open or to migrate; made by [`Db::builder`].
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # async fn example(host: &anyhost_core::Host) -> Result<(), anyhost_core::Error> {
/// use anyhost_core::db::Db;
///
/// let db = Db::<sqlx::Postgres>::builder(host).open().await?;
/// // ANALYTICS_DATABASE_URL, ANALYTICS_DATABASE_POOL_SIZE and so on.
/// let analytics = Db::<sqlx::Postgres>::builder(host).name("analytics").open().await?;
/// # let _ = (db, analytics);
/// # Ok(()) }
/// ```
#[must_use = "it opens nothing by itself"]
pub struct DbBuilder<'h, DB: Driver> {
    pub(super) host: &'h Host,
    name: Option<String>,
    url: Option<String>,
    passwords: Option<Arc<dyn PasswordProvider>>,
    driver: PhantomData<fn() -> DB>,
}

impl<DB: Driver> Db<DB> {
    /// Chooses the database to open or to migrate.
    pub fn builder(host: &Host) -> DbBuilder<'_, DB> {
        DbBuilder { host, name: None, url: None, passwords: None, driver: PhantomData }
    }

    /// Opens the database that `DATABASE_URL` names: [`builder`](Self::builder) with nothing else to say.
    ///
    /// # Errors
    /// As for [`DbBuilder::open`].
    pub async fn open(host: &Host) -> Result<Self, Error> {
        Self::builder(host).open().await
    }
}

impl<DB: Driver> DbBuilder<'_, DB> {
    /// Names a database beside the first one. Its settings are those of [`Db`] under this prefix: for "analytics"
    /// `ANALYTICS_DATABASE_URL`, `ANALYTICS_DATABASE_POOL_SIZE` and so on. Databases on one server share its
    /// connections.
    ///
    /// A read replica is such a database too: `.name("replica")`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Gives a URL to use if `DATABASE_URL` is not set: for development, or an embedded database of the App's own.
    pub fn url_or(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Gives a source of passwords, which is asked when a connection is opened.
    pub fn passwords(mut self, passwords: impl PasswordProvider) -> Self {
        self.passwords = Some(Arc::new(passwords));
        self
    }

    /// Opens the database: plans, opens the first connection, asks the server for its limits.
    ///
    /// # Errors
    /// [`Error::Setting`] and [`Error::Plan`] if the settings are wrong or do not fit, also together with the
    /// databases on the same server that were opened before; [`Error::Unreachable`], [`Error::Refused`] and
    /// [`Error::Credentials`] if no connection can be opened within 10 seconds. On a serverless host a server that
    /// cannot be reached is tried for 8 seconds, one that takes no more connections for as long as a caller may wait.
    pub async fn open(self) -> Result<Db<DB>, Error> {
        let host = self.host;
        let settings = self.settings()?;
        settings.url.expect_kind(DB::KIND)?;
        settings.url.log_ignored();
        // Refuse a plan that the settings alone rule out before anything is opened.
        let place = settings.url.place();
        let taken = host.databases().taken(&Server::from_place(&place, None));
        let provisional = plan(host, &settings, None, taken)?.with(&settings, None);
        let application = format!("anyhost/{}", host.instance());
        let url = &settings.url;
        let connector =
            self.connector(&settings, url, settings.pooler, &provisional, &application).await?;
        let begun = Instant::now();
        let full = begun + provisional.acquire_timeout();
        let first = match host.paradigm() {
            Paradigm::LongRunning => {
                let until = begun + START_TIMEOUT;
                connect_until(&connector, (until, until), true).await?
            }
            Paradigm::Serverless => {
                let away = full.min(begun + INIT_TIMEOUT);
                connect_until(&connector, (full, away), false).await?
            }
        };
        let info = &first.server;
        let idle_timeout = info.idle_timeout;
        if let Some(idle_timeout) = idle_timeout.filter(|after| *after < provisional.idle_timeout())
        {
            tracing::warn!(
                "the server ends connections that are idle for {} s; they are given up or kept in use before",
                idle_timeout.as_secs_f64()
            );
        }
        // A serverless host that gives one process many requests at once does not freeze it between them.
        let may_freeze = host.paradigm() == Paradigm::Serverless && host.concurrency() == 1;
        let server = Server::from_place(&place, info.backend.map(|backend| backend.server));
        // Planned and registered in one step, so that of two databases opened at the same time one sees the other.
        host.open_database(|others| {
            let taken = others.taken(&server);
            let plan =
                plan(host, &settings, connector.limits(), taken)?.with(&settings, idle_timeout);
            let pool = Pool::new(plan, host.epoch().clone(), may_freeze, connector, place);
            pool.add_first(first);
            Ok(Db::start(pool, self.name.clone(), server, host.noted_databases()))
        })
    }

    /// Prepares to open connections to this URL, through this pooler, by this plan.
    pub(super) async fn connector(
        &self,
        settings: &DatabaseSettings,
        url: &DatabaseUrl,
        pooler: Pooler,
        plan: &Plan,
        application: &str,
    ) -> Result<Arc<Connector<DB>>, Error> {
        let memory = self.host.memory();
        let tuning = Tuning {
            pooler,
            application,
            demands_tls: self.host.demands_database_tls(),
            has_provider: self.passwords.is_some(),
            memory: memory.name(url),
        };
        // Without the driver's own log line for each statement.
        let options = DB::options(url, &tuning)?.disable_statement_logging();
        memory.keep::<DB>(tuning.memory.as_deref(), &options).await?;
        let credentials = match &self.passwords {
            Some(passwords) => Credentials::provider(Arc::clone(passwords)),
            None => Credentials::from_settings(settings),
        };
        Ok(Connector::new(options, credentials, url, pooler, plan))
    }

    pub(super) fn settings(&self) -> Result<DatabaseSettings, ConfigError> {
        let settings = self.host.settings().of_database(self.name.as_deref());
        DatabaseSettings::parse(&settings, self.url.as_deref())
    }
}

impl<DB: Driver> fmt::Debug for DbBuilder<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

fn plan(
    host: &Host,
    settings: &DatabaseSettings,
    limits: Option<super::Limits>,
    taken: usize,
) -> Result<Plan, Error> {
    let url = settings.url.variable();
    Plan::new(&Inputs::gather(host, settings, limits, taken)).map_err(|error| match error {
        // Each of several databases has settings of its own, so the line names the database.
        Error::Plan(text) if url.as_ref() != "DATABASE_URL" => {
            Error::Plan(format!("{url}: {}", settings.url.own_names(&text)))
        }
        error => error,
    })
}

impl Plan {
    /// The plan for a pool of another library, from the settings of a database as [`Db`] has them: `None` for the one
    /// of `DATABASE_URL`, or the name of another. The server is not asked for its limits: `DATABASE_MAX_CONNECTIONS`
    /// tells them. The connections of the plan count for databases that are opened later on the same server.
    ///
    /// # Errors
    /// [`Error::Setting`] and [`Error::Plan`] as when a database is opened.
    pub fn of(host: &Host, name: Option<&str>) -> Result<Self, Error> {
        let settings = DatabaseSettings::parse(&host.settings().of_database(name), None)?;
        let server = Server::from_place(&settings.url.place(), None);
        host.open_database(|others| {
            let plan = plan(host, &settings, None, others.taken(&server))?.with(&settings, None);
            Ok(ForeignPlan { plan, server })
        })
        .map(|foreign| foreign.plan)
    }
}
