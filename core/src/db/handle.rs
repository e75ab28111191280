//! The handle an App keeps.

use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_core::future::BoxFuture;

use super::conn::DbPool;
use super::connect::ConnectFailure;
use super::driver::Driver;
use super::plan::Plan;
use super::pool::Purpose;
use super::settings::{DatabaseUrl, Kind};
use super::shares::Server;
use super::tx::write_turn;
use super::{Conn, Error, PoolState, Tx};
use crate::databases::{BoxError, CloseReport, Databases, DynDatabase, Stats};
use crate::{ConfigError, Settings};

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
/// A program that runs on several kinds of database can use [`kind`](super::kind), or `AnyDb` with the feature `any`.
///
/// Settings, from the environment by way of [`Host::settings`](crate::Host::settings):
///
/// | variable | meaning | default |
/// |---|---|---|
/// | `DATABASE_URL` | the database, with user and password | none |
/// | `DIRECT_DATABASE_URL` | the server itself if `DATABASE_URL` names a pooler; used for migrations | `DATABASE_URL` |
/// | `DATABASE_PASSWORD_FILE` | a file with the password, read for each connection: it may change | the URL's |
/// | `DATABASE_POOLER` | `none`, `pgbouncer`, `pgbouncer-prepared` or `rds-proxy` | `none` |
/// | `DATABASE_POOL_SIZE` | connections of one process; refused if they do not fit | by the plan |
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
/// Without `DATABASE_POOLER` a pooler is assumed if a host has the name of one at Neon, Vercel, Supabase or Amazon RDS, or
/// with port 6432 at Azure or PlanetScale.
///
/// `sqlite::memory:` and `mode=memory` have one connection and keep their data for as long as the [`Host`](crate::Host). A file with
/// `mode=ro` or `immutable=1` is left in the mode that it has.
///
/// The URL sets the TLS mode, with the parameters of libpq and of MySQL's clients: `sslmode` (`disable`, `allow`,
/// `prefer`, `require`, `verify-ca`, `verify-full`) with `sslrootcert` (a file, or `system`), `sslcert` and `sslkey`;
/// `ssl-mode` (`DISABLED`, `PREFERRED`, `REQUIRED`, `VERIFY_CA`, `VERIFY_IDENTITY`) with `ssl-ca`, `ssl-cert` and
/// `ssl-key`. TLS that is demanded is never left out. The driver trusts the authorities that are publicly trusted
/// beside the one a URL names, so choose `verify-full` or `VERIFY_IDENTITY` outside of a private network: they check
/// the host's name too.
///
/// A host may stand for several addresses. If the first one does not accept, the next is
/// connected to after half a second, and first from then on for as long as it works; with `verify-full` and
/// `VERIFY_IDENTITY`, which need the name, the driver alone goes from one to the next.
pub struct Db<DB: Driver>(Arc<Inner<DB>>);

struct Inner<DB: Driver> {
    pool: Arc<DbPool<DB>>,
    /// Its name in the program, if it is not the first one.
    name: Option<String>,
    server: Server,
    /// The databases of the host, this one among them.
    databases: Weak<Mutex<Databases>>,
}

impl<DB: Driver> Db<DB> {
    /// Starts the background tasks of a pool, and returns its handle.
    pub(super) fn start(
        pool: Arc<DbPool<DB>>,
        name: Option<String>,
        server: Server,
        databases: Weak<Mutex<Databases>>,
    ) -> Self {
        if !pool.may_freeze() {
            pool.start_upkeep();
            if DB::KIND != Kind::Sqlite {
                super::watchdog::watch(&pool);
            }
        }
        Self(Arc::new(Inner { pool, name, server, databases }))
    }

    /// Registers a lease of this database with the host, which drains it.
    pub(super) fn register_lease(&self, lease: Arc<dyn DynDatabase>) {
        if let Some(databases) = self.0.databases.upgrade() {
            databases.lock().unwrap_or_else(PoisonError::into_inner).push(lease);
        }
    }

    pub(super) fn pool(&self) -> &Arc<DbPool<DB>> {
        &self.0.pool
    }

    /// Borrows a connection. It is alive: proven by use within the last 500 ms, or by one ping.
    ///
    /// The wait is bounded by the plan and by the request's deadline, whichever is earlier.
    ///
    /// # Errors
    /// [`Error`] says which: the queue, the server, the credentials, the deadline.
    #[track_caller]
    pub fn conn(&self) -> impl Future<Output = Result<Conn<DB>, Error>> + Send + '_ {
        let line = Location::caller();
        async move { self.conn_for(Purpose::Line(line)).await }
    }

    pub(super) async fn conn_for(&self, purpose: Purpose) -> Result<Conn<DB>, Error> {
        self.0.pool.acquire(purpose).await.map(Conn::new)
    }

    /// Begins a transaction on a connection of its own.
    ///
    /// On SQLite it takes the write lock at once, and one transaction of this process waits for another in order.
    /// Every statement waits for the lock for as long as a caller waits for a connection, and no longer than its
    /// caller.
    ///
    /// # Errors
    /// As for [`conn`](Self::conn).
    #[track_caller]
    pub fn begin(&self) -> impl Future<Output = Result<Tx<DB>, Error>> + Send + '_ {
        let line = Location::caller();
        async move {
            let turn = write_turn(&self.0.pool).await?;
            let mut conn = self.conn_for(Purpose::Line(line)).await?;
            conn.begin_transaction().await?;
            Ok(Tx::new(conn, turn))
        }
    }

    /// The plan these connections follow.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.0.pool.plan()
    }

    /// The connections at this moment.
    #[must_use]
    pub fn state(&self) -> PoolState {
        self.0.pool.state()
    }

    /// The connections in numbers: those of this moment, and what has been counted since they were opened.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let turns = &self.0.pool.connector().turns;
        let waiting_to_write = turns.as_ref().map_or(0, |turns| turns.waiting());
        Stats { waiting_to_write, ..self.0.pool.stats(DB::SYSTEM) }
    }

    /// Closes every connection: idle ones at once, those in use when they come back, at the latest after
    /// `within`. Callers that wait get [`Error::Closed`]. The report is logged too.
    pub async fn close(&self, within: Duration) -> CloseReport {
        if let Some(turns) = &self.0.pool.connector().turns {
            turns.close();
        }
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

impl<DB: Driver> DynDatabase for Db<DB> {
    fn ready(&self, within: Duration) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(async move {
            let pool = &self.0.pool;
            match pool.ready(within).await {
                Some(answer) => Ok(answer?),
                None => {
                    let text =
                        format!("no answer within {} ms; {}", within.as_millis(), pool.state());
                    let error = io::Error::new(io::ErrorKind::TimedOut, text);
                    let failure = ConnectFailure::unreachable(error, &pool.connector().url);
                    Err(failure.into_error().into())
                }
            }
        })
    }

    fn close(&self, within: Duration) -> BoxFuture<'_, CloseReport> {
        Box::pin(Self::close(self, within))
    }

    fn rest(&self) {
        self.0.pool.rest();
    }

    fn renew(&self, settings: &Settings, check: bool) -> Result<(), ConfigError> {
        let settings = settings.of_database(self.0.name.as_deref());
        let Some(url) = DatabaseUrl::from_settings(&settings)? else { return Ok(()) };
        self.0.pool.connector().renew(&url, check)
    }

    fn stats(&self) -> Option<Stats> {
        Some(self.stats())
    }

    fn plan(&self) -> String {
        match &self.0.name {
            Some(name) => format!("{name}: {}", self.plan()),
            None => self.plan().to_string(),
        }
    }

    fn share(&self) -> Option<(Server, usize)> {
        let size = self.0.pool.plan().size();
        let open = DB::KIND != Kind::Sqlite && !self.0.pool.is_closed();
        open.then(|| (self.0.server.clone(), size))
    }
}
