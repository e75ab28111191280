//! The handle an App keeps.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_core::future::BoxFuture;
use tokio::sync::Semaphore;

use super::connect::{Connector, Patience, Site};
use super::credentials::{Credentials, Passwords};
use super::driver::{Driver, Tuning};
use super::held::Held;
use super::plan::{Inputs, Plan};
use super::pool::Pool;
use super::settings::{DatabaseSettings, DatabaseUrl, Kind};
use super::shelf::Place;
use super::{Conn, Drained, Error, PoolState, Stats, Tx};
use crate::{ConfigError, Host, Paradigm};

/// How long opening may take at start on a long-running host, and before migrations; a supervisor starts the
/// process again.
pub(super) const START_PATIENCE: Duration = Duration::from_secs(10);

/// How long a server that cannot be reached is tried at start on a serverless host: Lambda gives an init ten
/// seconds, and what went wrong is said before they are over.
const INIT_PATIENCE: Duration = Duration::from_secs(8);

/// The database connections of one process, held the way its host needs: a clone shares them.
///
/// Open it once, in `App::start`. `&Db` is an sqlx `Executor`; [`conn`](Self::conn) borrows a connection for
/// several statements, [`begin`](Self::begin) one for a transaction.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # async fn example(host: &anyhost_core::Host) -> Result<(), anyhost_core::Error> {
/// use anyhost_core::db::Db;
///
/// let db = Db::<sqlx::Postgres>::open(host).await?;
///
/// let title: String =
///     sqlx::query_scalar("SELECT title FROM notes WHERE id = $1").bind(7).fetch_one(&db).await?;
///
/// let mut tx = db.begin().await?;
/// sqlx::query("DELETE FROM notes WHERE id = $1").bind(7).execute(&mut *tx).await?;
/// tx.commit().await?;
/// # let _ = title;
/// # Ok(()) }
/// ```
///
/// Settings, from the environment by way of [`Host::settings`]:
///
/// | variable | meaning | default |
/// |---|---|---|
/// | `DATABASE_URL` | the database, with user and password | none |
/// | `DIRECT_DATABASE_URL` | the server itself where `DATABASE_URL` names a pooler; used for migrations | `DATABASE_URL` |
/// | `DATABASE_PASSWORD_FILE` | a file with the password, read for each connection: it may change | the URL's |
/// | `DATABASE_POOLER` | `none`, `pgbouncer`, `pgbouncer-prepared` or `rds-proxy` | `none` |
/// | `DATABASE_POOL_SIZE` | connections of one process; refused where they do not fit | by the plan |
/// | `DATABASE_MAX_CONNECTIONS` | what the server takes | asked of the server |
/// | `DATABASE_RESERVED` | what of it is not ours | asked of the server |
/// | `DATABASE_ACQUIRE_TIMEOUT` | how long a caller waits for a connection | 2 s; serverless 29 s |
/// | `DATABASE_IDLE_TIMEOUT` | how long a connection beyond the first may stay unused | 10 min |
/// | `DATABASE_MAX_LIFETIME` | how long a connection may live, less up to a quarter | 30 min; SQLite for ever |
/// | `DATABASE_LEAK_THRESHOLD` | how long one may be held before the log names the place | 60 s |
/// | `DATABASE_LOCK_TIMEOUT` | how long migrations wait for locks, and for another process that migrates and does nothing | 60 s |
/// | `APP_INSTANCES` | processes of this deployment; on Lambda its reserved concurrency | 1; serverless unknown |
/// | `APP_OVERLAP` | how many times as many there are during a deploy | 2; serverless 1 |
///
/// A URL may have the parameters that platforms and other tools write into it: they are honoured, or change nothing and
/// are named once in the log, or are refused with what to write instead. Nothing is taken from `PGHOST` and its siblings.
/// Without `DATABASE_POOLER` a pooler is assumed where a host has the name of one at Neon, Supabase or Amazon RDS.
///
/// `sqlite::memory:` and `mode=memory` have one connection and keep their data for as long as the [`Host`]. A file with
/// `mode=ro` or `immutable=1` is left in the mode that it has.
///
/// How far TLS goes is said in the URL, as libpq and MySQL's clients have it: `sslmode` (`disable`, `allow`,
/// `prefer`, `require`, `verify-ca`, `verify-full`) with `sslrootcert` (a file, or `system`), `sslcert` and
/// `sslkey`; `ssl-mode` (`DISABLED`, `PREFERRED`, `REQUIRED`, `VERIFY_CA`, `VERIFY_IDENTITY`) with `ssl-ca`,
/// `ssl-cert` and `ssl-key`. What is demanded is never done without. The driver trusts the authorities that
/// everybody trusts beside the one a URL names, so choose `verify-full` or `VERIFY_IDENTITY` outside of a
/// private network: they check the host's name too.
///
/// A host may stand for several addresses. Where the one that is tried first lets nobody in, the next is
/// connected to after half a second, and first from then on for as long as it works; with `verify-full` and
/// `VERIFY_IDENTITY`, which need the name, the driver alone goes from one to the next.
pub struct Db<DB: Driver>(Arc<Inner<DB>>);

struct Inner<DB: Driver> {
    pool: Arc<Pool<DB>>,
}

impl<DB: Driver> Db<DB> {
    /// Opens the database that `DATABASE_URL` names: plans, opens the first connection, asks the server for
    /// its limits.
    ///
    /// # Errors
    /// [`Error::Setting`] and [`Error::Plan`] where the settings are wrong or do not fit;
    /// [`Error::Unreachable`], [`Error::Refused`] and [`Error::Credentials`] where no connection can be had
    /// within 10 seconds. On a serverless host a server that cannot be reached is tried for 8 seconds, one that
    /// takes no more connections for as long as a caller may wait.
    pub async fn open(host: &Host) -> Result<Self, Error> {
        Self::open_settings(host, DatabaseSettings::parse(host.settings(), None)?, None).await
    }

    /// [`open`](Self::open), with passwords that are asked for when a connection is opened.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn open_with(host: &Host, passwords: impl Passwords) -> Result<Self, Error> {
        let settings = DatabaseSettings::parse(host.settings(), None)?;
        let credentials = Credentials::provider(Arc::new(passwords));
        Self::open_settings(host, settings, Some(credentials)).await
    }

    /// [`open`](Self::open), with a URL for where `DATABASE_URL` is not set: an embedded database of the App's
    /// own.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn open_or(host: &Host, url: &str) -> Result<Self, Error> {
        Self::open_settings(host, DatabaseSettings::parse(host.settings(), Some(url))?, None).await
    }

    async fn open_settings(
        host: &Host,
        settings: DatabaseSettings,
        credentials: Option<Credentials>,
    ) -> Result<Self, Error> {
        settings.url.expect_kind(DB::KIND)?;
        settings.url.tell_ignored();
        // What the settings alone forbid is refused before anything is opened.
        let provisional = Plan::new(&Inputs::gather(host, &settings, None))?.with(&settings, None);
        let application = format!("anyhost/{}", host.instance());
        let tuning = Tuning {
            pooler: settings.pooler,
            application: &application,
            demands_tls: host.demands_database_tls(),
            has_provider: credentials.is_some(),
            memory: host.memory().name(&settings.url),
        };
        let credentials = credentials.unwrap_or_else(|| Credentials::of(&settings));
        let options = DB::options(&settings.url, &tuning)?;
        host.memory().keep::<DB>(tuning.memory.as_deref(), &options).await?;
        let site = Site::of(&settings.url, settings.pooler);
        let connector = Connector::<DB>::new(options, credentials, site);
        let begun = Instant::now();
        let patience = match host.paradigm() {
            Paradigm::LongRunning => Patience::until(begun + START_PATIENCE),
            Paradigm::Serverless => {
                let until = begun + provisional.acquire();
                Patience { full: until, away: until.min(begun + INIT_PATIENCE) }
            }
        };
        let first = connector
            .first(&provisional, patience)
            .await
            .map_err(super::connect::Outage::into_error)?;
        let plan = Plan::new(&Inputs::gather(host, &settings, connector.limits()))?
            .with(&settings, first.admission.forgotten);
        if let Some(forgotten) =
            first.admission.forgotten.filter(|forgotten| *forgotten < provisional.idle())
        {
            tracing::warn!(
                "the server ends connections that are idle for {} s; they are given up or kept in use before",
                forgotten.as_secs_f64()
            );
        }
        // A serverless host that gives one process many requests at once does not freeze it between them.
        let paradigm = match host.paradigm() {
            Paradigm::Serverless if host.concurrency() == 1 => Paradigm::Serverless,
            Paradigm::Serverless | Paradigm::LongRunning => Paradigm::LongRunning,
        };
        let writer = (DB::KIND == Kind::Sqlite).then(|| Arc::new(Semaphore::new(1)));
        let pool = Arc::new(Pool::new(
            plan,
            host.epoch().clone(),
            paradigm,
            connector,
            writer,
            host.workers(),
        ));
        let permit = Arc::clone(&pool.budget)
            .try_acquire_owned()
            .expect("a plan has room for one connection, and this is the first");
        pool.add(pool.connector.slot(&pool, first, permit, Place::default()));
        if paradigm == Paradigm::LongRunning {
            super::keep::start(&pool);
            if DB::KIND != Kind::Sqlite {
                super::silence::watch(&pool);
            }
        }
        let db = Self(Arc::new(Inner { pool }));
        host.adopt(Arc::new(db.clone()));
        Ok(db)
    }

    /// Borrows a connection. It is alive: proven by use within the last 500 ms, or by one ping.
    ///
    /// The wait is bounded by the plan and by the request's deadline, whichever is earlier.
    ///
    /// # Errors
    /// [`Error`] says which: the queue, the server, the credentials, the deadline.
    #[track_caller]
    pub fn conn(&self) -> impl Future<Output = Result<Conn<DB>, Error>> + Send + '_ {
        let place = Location::caller();
        async move {
            let pool = &self.0.pool;
            Ok(Conn::new(pool.lend(place).await?))
        }
    }

    /// Begins a transaction on a connection of its own.
    ///
    /// On SQLite it takes the write lock at once, and one transaction of this process waits for another in
    /// order. Whatever waits there for the lock waits for as long as for a connection, and no longer than its caller.
    ///
    /// # Errors
    /// As for [`conn`](Self::conn).
    #[track_caller]
    pub fn begin(&self) -> impl Future<Output = Result<Tx<DB>, Error>> + Send + '_ {
        let place = Location::caller();
        async move {
            let pool = &self.0.pool;
            let writer = pool.turn_to_write().await?;
            let mut conn = Conn::new(pool.lend(place).await?);
            conn.begin_here().await?;
            Ok(Tx::new(conn, writer))
        }
    }

    /// The plan these connections follow.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.0.pool.plan
    }

    /// The connections at this moment.
    #[must_use]
    pub fn state(&self) -> PoolState {
        self.0.pool.state()
    }

    /// The connections in numbers: those of this moment, and what has been counted since they were opened.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.pool.stats()
    }

    /// Closes every connection: idle ones at once, those in use when they come back, at the latest after
    /// `within`. Whoever waits is refused with [`Error::Closed`]. What became of them is told and logged.
    pub async fn close(&self, within: Duration) -> Drained {
        self.0.pool.close(within).await
    }
}

impl<DB: Driver> Clone for Db<DB> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<DB: Driver> fmt::Debug for Db<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("kind", &DB::NAME).field("state", &self.state()).finish()
    }
}

impl<DB: Driver> Held for Db<DB> {
    fn ping(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            let mut conn = self.conn().await?;
            conn.ping().await.map_err(|error| conn.explain(error))
        })
    }

    fn close(&self, within: Duration) -> BoxFuture<'_, Drained> {
        Box::pin(Self::close(self, within))
    }

    fn rest(&self) {
        self.0.pool.rest();
    }

    fn renew(&self, url: &DatabaseUrl) -> Result<(), ConfigError> {
        self.0.pool.connector.renew(url)
    }

    fn stats(&self) -> Stats {
        self.stats()
    }

    fn plan(&self) -> String {
        self.plan().to_string()
    }
}
