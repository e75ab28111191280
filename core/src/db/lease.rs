//! An `sqlx::Pool` inside the budget, for libraries that want one.

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use sqlx::Connection as _;
use sqlx::pool::PoolOptions;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::connect::Connector;
use super::driver::Driver;
use super::{Db, Error};
use crate::databases::{CloseReport, DynDatabase, Stats};

/// How often a leased pool gets the current password: a file is read, a provider is asked only if its last password
/// is about to expire.
const REFRESH: Duration = Duration::from_secs(5);

impl<DB: Driver> Db<DB> {
    /// Takes places out of this database's plan and gives them to an `sqlx::Pool`, for libraries that want one:
    /// session stores, job queues, object mappers. It opens at most this many connections, none of them now.
    ///
    /// A connection is pinged before it is lent unless it was used within the last 500 ms; passwords rotate as
    /// everywhere; it is closed when the process drains. This pool has nothing else of what [`Db`] promises: a
    /// connection with unfinished work is handed on, and waiting callers may be overtaken.
    ///
    /// # Errors
    /// [`Error::Plan`] if this database would have no place left; [`Error::TimedOut`] if no place comes free in the
    /// time that callers wait.
    pub async fn sqlx_pool(&self, places: usize) -> Result<sqlx::Pool<DB>, Error> {
        let pool = self.pool();
        if places == 0 || places >= pool.size() {
            return Err(Error::Plan(format!(
                "{places} places cannot be leased: this database has {} connections, of which it keeps one at least; \
                 set {} to more",
                pool.size(),
                pool.connector().url.variable_of("DATABASE_POOL_SIZE"),
            )));
        }
        let waits = pool.plan().acquire_timeout();
        let Ok(lease) = timeout(waits, pool.lease(places)).await else {
            return Err(Error::TimedOut { waited: waits, state: self.state() });
        };
        let (interval, ping_timeout) =
            (pool.plan().validation_interval(), pool.plan().ping_timeout());
        let may_freeze = pool.may_freeze();
        let options = PoolOptions::<DB>::new()
            .max_connections(u32::try_from(places).unwrap_or(u32::MAX))
            .acquire_timeout(waits)
            // With these three settings the pool runs no task of its own.
            .min_connections(0)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .before_acquire(move |connection, used| {
                Box::pin(async move {
                    if used.idle_for <= interval && !may_freeze {
                        return Ok(true);
                    }
                    Ok(matches!(timeout(ping_timeout, connection.ping()).await, Ok(Ok(()))))
                })
            });
        let connector = Arc::clone(pool.connector());
        let sqlx_pool = options.connect_lazy_with(connector.options_now().await?);
        if !may_freeze {
            pool.runtime().spawn(refresh(connector, sqlx_pool.clone()));
        }
        self.register_lease(Arc::new(LeasedPool {
            name: format!("{} (leased)", pool.name()),
            pool: sqlx_pool.clone(),
            lease: std::sync::Mutex::new(Some(lease)),
        }));
        Ok(sqlx_pool)
    }
}

/// Gives a pool the current password again and again, until it is closed.
async fn refresh<DB: Driver>(connector: Arc<Connector<DB>>, pool: sqlx::Pool<DB>) {
    while !pool.is_closed() {
        tokio::time::sleep(REFRESH).await;
        // A source that fails is asked again later; if the old password is refused, the pool reports it.
        if let Ok(options) = connector.options_now().await {
            pool.set_connect_options(options);
        }
    }
}

/// A leased `sqlx::Pool`, which is closed with the database.
struct LeasedPool<DB: Driver> {
    name: String,
    pool: sqlx::Pool<DB>,
    /// Given back when the pool is closed.
    lease: std::sync::Mutex<Option<OwnedSemaphorePermit>>,
}

impl<DB: Driver> LeasedPool<DB> {
    fn open(&self) -> usize {
        usize::try_from(self.pool.size()).unwrap_or(usize::MAX)
    }

    fn places(&self) -> usize {
        usize::try_from(self.pool.options().get_max_connections()).unwrap_or(usize::MAX)
    }
}

impl<DB: Driver> DynDatabase for LeasedPool<DB> {
    fn close(&self, within: Duration) -> BoxFuture<'_, CloseReport> {
        Box::pin(async move {
            let begun = Instant::now();
            let open = self.open();
            let _ = timeout(within, self.pool.close()).await;
            drop(self.lease.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
            let left = self.open();
            let report = CloseReport {
                pool: self.name.clone(),
                closed: open.saturating_sub(left),
                aborted: left,
                took: begun.elapsed(),
                ..CloseReport::default()
            };
            report.log();
            report
        })
    }

    fn stats(&self) -> Option<Stats> {
        let open = self.open();
        // sqlx reads the two numbers one after the other.
        let idle = self.pool.num_idle().min(open);
        Some(Stats {
            pool: self.name.clone(),
            system: DB::SYSTEM,
            open,
            idle,
            in_use: open - idle,
            max: self.places(),
            ..Stats::default()
        })
    }

    fn plan(&self) -> String {
        let places = self.places();
        format!("{}: {places} of its connections, in a pool of sqlx's", self.name)
    }
}

#[cfg(feature = "postgres")]
impl Db<sqlx::Postgres> {
    /// Takes one place out of the plan for good, and listens on it: `LISTEN` and `NOTIFY`. A connection that is lost
    /// is opened again, and listens to the same channels; notifications in between are missed.
    ///
    /// # Errors
    /// As for [`sqlx_pool`](Self::sqlx_pool); [`Error::Query`] if the first connection cannot be opened.
    pub async fn listener(&self) -> Result<sqlx::postgres::PgListener, Error> {
        let pool = self.sqlx_pool(1).await?;
        sqlx::postgres::PgListener::connect_with(&pool).await.map_err(Error::Query)
    }
}
