//! One open connection whose unfinished work is noticed.

mod condition;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::future::Either;
use futures_util::{TryStreamExt, stream};
use sqlx::{Connection, Execute, Executor, SqlStr};
use sqlx_core::describe::Describe;
use sqlx_core::sql_str::{AssertSqlSafe, SqlSafeStr};

use super::driver::{Driver, Step};
use super::lock_wait::LockWait;
use super::pooled::PoolerWarnings;
use super::silence::Pulse;
use super::statement::{Effect, Statement};
use condition::Condition;

/// One open connection, as [`Conn`](super::Conn) and [`Tx`](super::Tx) lend it: an sqlx `Executor` that
/// knows whether everything begun on it was finished.
///
/// A function that takes `&mut Session<DB>` runs inside a transaction and outside of one.
pub struct Session<DB: Driver> {
    pub(super) connection: DB::Connection,
    pub(super) condition: Condition,
    /// Every statement must be unnamed and inside a transaction.
    pub(super) unnamed: bool,
    /// What is said of statements that a transaction pooler does not bear, where one stands before the server.
    pub(super) pooled: Option<Arc<PoolerWarnings>>,
    /// How statements wait for a database that is locked, where they wait here.
    pub(super) lock: Option<LockWait>,
}

impl<DB: Driver> Session<DB> {
    pub(super) fn new(connection: DB::Connection, unnamed: bool, pulse: Pulse) -> Self {
        Self { connection, condition: Condition::new(pulse), unnamed, pooled: None, lock: None }
    }

    /// The driver's own connection, for what an `Executor` cannot do: `COPY`, `LISTEN`, a savepoint.
    ///
    /// What happens on it is not noticed, so the connection is closed instead of being used again. On SQLite it
    /// waits for no lock: set `PRAGMA busy_timeout`.
    pub fn raw(&mut self) -> &mut DB::Connection {
        self.condition.raw = true;
        &mut self.connection
    }

    /// Whether the next borrower may have this connection.
    pub(super) fn is_clean(&self) -> bool {
        self.condition.is_clean()
            && !self.connection.is_in_transaction()
            && !self.connection.should_flush()
    }

    /// Begins a transaction; one that the server ends by itself where the time is limited.
    pub(super) async fn begin(&mut self, limit: Option<Duration>) -> Result<(), sqlx::Error> {
        use sqlx_core::transaction::TransactionManager as _;
        self.condition.failed = false;
        let limited = limit.and_then(DB::begin_within);
        // The text is ours, a number apart.
        let limited = limited.map(|begin| AssertSqlSafe(begin).into_sql_str());
        let begin = limited.or_else(|| DB::BEGIN.map(SqlStr::from_static));
        let begins = DB::TransactionManager::begin(&mut self.connection, begin);
        self.condition.watch::<DB, _>(Effect::None, begins).await
    }

    /// Commits; an error where the server has given the transaction up and would roll back instead.
    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        use sqlx_core::transaction::TransactionManager as _;
        if self.condition.failed {
            // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error, and the driver
            // passes that on as success. A statement tells: it fails while the transaction is failed, and
            // works where a savepoint has saved it.
            let probe = DB::fetch_optional(&mut self.connection, "SELECT 1");
            self.condition.watch::<DB, _>(Effect::None, probe).await?;
        }
        let commits = DB::TransactionManager::commit(&mut self.connection);
        self.condition.watch::<DB, _>(Effect::None, commits).await
    }

    pub(super) async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        use sqlx_core::transaction::TransactionManager as _;
        let rolls_back = DB::TransactionManager::rollback(&mut self.connection);
        self.condition.watch::<DB, _>(Effect::None, rolls_back).await
    }

    /// Which of these connections the server is at work for, by its ids.
    pub(super) async fn at_work(&mut self, ids: &[i64]) -> Result<Vec<i64>, sqlx::Error> {
        let asks = DB::at_work(&mut self.connection, ids);
        self.condition.watch::<DB, _>(Effect::None, asks).await
    }

    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        self.condition.watch::<DB, _>(Effect::None, self.connection.ping()).await
    }

    /// Runs a statement for its first row, where there is one.
    pub(super) fn optional(
        &mut self,
        statement: Statement<DB>,
    ) -> impl Future<Output = Result<Option<DB::Row>, sqlx::Error>> + Send {
        let statement = statement.unnamed(self.unnamed);
        if let Some(warnings) = &self.pooled {
            warnings.look_at(statement.text());
        }
        if self.lock.is_some() {
            let waits: BoxFuture<'_, _> = Box::pin(self.optional_patiently(statement));
            return Either::Left(waits);
        }
        if self.wraps(&statement) {
            let wraps: BoxFuture<'_, _> = Box::pin(self.wrapped_optional(statement));
            return Either::Left(wraps);
        }
        let Self { connection, condition, .. } = self;
        let effect = statement.effect();
        Either::Right(condition.watch::<DB, _>(effect, DB::fetch_optional(connection, statement)))
    }

    /// [`optional`](Self::optional), in a transaction of its own.
    async fn wrapped_optional(
        &mut self,
        statement: Statement<DB>,
    ) -> Result<Option<DB::Row>, sqlx::Error> {
        self.begin(None).await?;
        let effect = statement.effect();
        let row = DB::fetch_optional(&mut self.connection, statement);
        let row = self.condition.watch::<DB, _>(effect, row).await;
        match &row {
            Ok(_) => self.commit().await?,
            Err(_) => self.rollback().await?,
        }
        row
    }

    /// Whether a statement must be wrapped into a transaction of its own.
    fn wraps(&self, statement: &Statement<DB>) -> bool {
        self.unnamed && !statement.is_simple() && !self.connection.is_in_transaction()
    }
}

impl<DB: Driver> fmt::Debug for Session<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("condition", &self.condition).finish_non_exhaustive()
    }
}

impl<'c, DB: Driver> Executor<'c> for &'c mut Session<DB> {
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<DB>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let statement = Statement::of(query).unnamed(self.unnamed);
        if let Some(warnings) = &self.pooled {
            warnings.look_at(statement.text());
        }
        if self.lock.is_some() {
            return self.rows_patiently(statement);
        }
        if self.wraps(&statement) {
            return wrapped(self, statement);
        }
        let Session { connection, condition, .. } = self;
        let effect = Some(statement.effect());
        Box::pin(Watched::<DB> { rows: DB::fetch_many(connection, statement), condition, effect })
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        Box::pin(self.optional(Statement::of(query)))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, sqlx::Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let prepares = DB::prepare_with(&mut self.connection, sql, parameters);
            self.condition.watch::<DB, _>(Effect::None, prepares).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, sqlx::Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let describes = DB::describe(&mut self.connection, sql);
            self.condition.watch::<DB, _>(Effect::None, describes).await
        })
    }
}

/// The rows of a statement that must be alone in a transaction: they are collected, since the transaction
/// has to end whether or not somebody reads on.
fn wrapped<DB: Driver>(
    session: &mut Session<DB>,
    statement: Statement<DB>,
) -> BoxStream<'_, Result<Step<DB>, sqlx::Error>> {
    let all = async move {
        session.begin(None).await?;
        let effect = statement.effect();
        let all = DB::fetch_many(&mut session.connection, statement);
        let rows = session.condition.watch::<DB, Vec<Step<DB>>>(effect, all.try_collect()).await;
        match &rows {
            Ok(_) => session.commit().await?,
            Err(_) => session.rollback().await?,
        }
        Ok::<_, sqlx::Error>(stream::iter(rows?.into_iter().map(Ok)))
    };
    Box::pin(stream::once(all).try_flatten())
}

/// A stream of rows: the connection is busy from its first poll until its end.
struct Watched<'e, DB: Driver> {
    rows: BoxStream<'e, Result<Step<DB>, sqlx::Error>>,
    condition: &'e mut Condition,
    /// Of a statement that has not begun.
    effect: Option<Effect>,
}

impl<DB: Driver> Stream for Watched<'_, DB> {
    type Item = Result<Step<DB>, sqlx::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(effect) = self.effect.take() {
            self.condition.begins(effect);
        }
        let step = match self.rows.as_mut().poll_next(cx) {
            Poll::Ready(step) => step,
            Poll::Pending => {
                Some(Err(ready!(self.condition.pulse.loss(cx).map_or(Poll::Pending, Poll::Ready))))
            }
        };
        Poll::Ready(match step {
            Some(Ok(step)) => Some(Ok(step)),
            Some(Err(error)) => Some(Err(self.condition.failed::<DB>(error))),
            None => {
                self.condition.succeeded();
                None
            }
        })
    }
}
