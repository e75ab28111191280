//! One open connection whose unfinished work is noticed.

mod condition;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
use super::error::Error;
use super::lock_wait::LockWait;
use super::pooled::PoolerWarnings;
use super::settings::Kind;
use super::silence::Pulse;
use super::statement::{Effect, Statement};
use condition::{Condition, Transaction};

/// How many more rows are read, and for how long, where one is wanted and the connection is to be used again.
const REST: usize = 1000;
const REST_WITHIN: Duration = Duration::from_millis(50);

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
    pub(super) fn new(
        connection: DB::Connection,
        unnamed: bool,
        pulse: Pulse,
        schemas: Arc<AtomicU64>,
    ) -> Self {
        let condition = Condition::new(pulse, schemas);
        Self { connection, condition, unnamed, pooled: None, lock: None }
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
        self.settle().await?;
        let limited = limit.and_then(DB::begin_within);
        // The text is ours, a number apart.
        let limited = limited.map(|begin| AssertSqlSafe(begin).into_sql_str());
        let begin = limited.or_else(|| DB::BEGIN.map(SqlStr::from_static));
        let begins = DB::TransactionManager::begin(&mut self.connection, begin);
        self.condition.watch::<DB, _>(Effect::NONE, begins).await?;
        self.condition.transaction = Transaction::Open;
        Ok(())
    }

    /// Commits; an error where that would not make permanent everything that was done since it was begun.
    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        use sqlx_core::transaction::TransactionManager as _;
        if self.condition.broken {
            return Err(lost("it broke before COMMIT was sent"));
        }
        if !self.connection.is_in_transaction() {
            return Err(rolled_back("none is open"));
        }
        // What happened on the driver's own connection may have ended it too.
        if self.condition.raw && matches!(self.condition.transaction, Transaction::Open) {
            self.condition.transaction = Transaction::Doubtful;
        }
        self.settle().await?;
        if let Transaction::Doubtful = self.condition.transaction {
            self.prove_transaction().await?;
        }
        let commits = DB::TransactionManager::commit(&mut self.connection);
        self.condition.watch::<DB, _>(Effect::NONE, commits).await?;
        self.condition.transaction = Transaction::None;
        Ok(())
    }

    pub(super) async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        use sqlx_core::transaction::TransactionManager as _;
        if let Err(error) = self.finish().await
            && self.condition.broken
        {
            return Err(error);
        }
        let over =
            matches!(self.condition.transaction, Transaction::Ended(_) | Transaction::Doubtful);
        let rolls_back = DB::TransactionManager::rollback(&mut self.connection);
        let outcome = self.condition.watch::<DB, _>(Effect::NONE, rolls_back).await;
        match outcome {
            // There may be nothing left to roll back, which SQLite says.
            Err(sqlx::Error::Database(_)) if over => {}
            outcome => {
                outcome?;
                self.condition.transaction = Transaction::None;
            }
        }
        Ok(())
    }

    /// Sees to what happened before the next statement is sent.
    ///
    /// An error of a statement that was not read to its end is not the next one's; a transaction that the server
    /// has ended does not let what follows take effect by itself; statements are prepared for the schema that there
    /// is.
    #[cold]
    pub(super) async fn settle(&mut self) -> Result<(), sqlx::Error> {
        self.finish().await?;
        if !DB::REFUSES_AFTER_ERROR && matches!(self.condition.transaction, Transaction::Doubtful) {
            self.prove_transaction().await?;
        }
        if let Transaction::Ended(reason) = &self.condition.transaction {
            return Err(rolled_back(reason));
        }
        if self.condition.knows_schema() { Ok(()) } else { self.forget_statements().await }
    }

    /// Reads what is left of a statement that was given up.
    async fn finish(&mut self) -> Result<(), sqlx::Error> {
        if !self.condition.busy || self.condition.broken {
            return Ok(());
        }
        if DB::KIND == Kind::MySql && !self.condition.answered {
            // What comes may be the answer to preparing it, for which the driver takes it no more.
            self.condition.broken = true;
            return Err(lost("a statement was given up before it had an answer"));
        }
        let reads = self.connection.flush();
        self.condition.watch::<DB, _>(Effect::NONE, reads).await.map_err(|error| match error {
            error if DB::KIND != Kind::MySql => error,
            error => {
                self.condition.broken = true;
                lost(&format!("a statement that was not read to its end failed: {error}"))
            }
        })
    }

    /// Asks the server whether the transaction is still open; an error where it is not.
    async fn prove_transaction(&mut self) -> Result<(), sqlx::Error> {
        let asks = DB::is_in_transaction(&mut self.connection);
        // What is asked may be answered by an error without one being met.
        let before = std::mem::take(&mut self.condition.transaction);
        let open = self.condition.watch::<DB, _>(Effect::NONE, asks).await;
        self.condition.transaction = before;
        if open? {
            self.condition.transaction = Transaction::Open;
            return Ok(());
        }
        let reason = "the server has rolled it back after an error";
        self.condition.transaction = Transaction::Ended(reason.into());
        Err(rolled_back(reason))
    }

    /// Forgets the statements and types that the driver remembers of this connection.
    async fn forget_statements(&mut self) -> Result<(), sqlx::Error> {
        let known = self.condition.schemas.load(Ordering::Acquire);
        let forgets = self.connection.clear_cached_statements();
        self.condition.watch::<DB, _>(Effect::NONE, forgets).await?;
        self.condition.schema = known;
        Ok(())
    }

    /// Which of these connections the server is at work for, by its ids.
    pub(super) async fn at_work(&mut self, ids: &[i64]) -> Result<Vec<i64>, sqlx::Error> {
        let asks = DB::at_work(&mut self.connection, ids);
        self.condition.watch::<DB, _>(Effect::NONE, asks).await
    }

    /// Whether the server takes no writes on this connection.
    pub(super) async fn is_read_only(&mut self) -> Result<bool, sqlx::Error> {
        let asks = DB::is_read_only(&mut self.connection);
        self.condition.watch::<DB, _>(Effect::NONE, asks).await
    }

    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        self.condition.watch::<DB, _>(Effect::NONE, self.connection.ping()).await
    }

    /// Runs a statement for its first row, where there is one; the rest is read too.
    pub(super) fn optional(
        &mut self,
        statement: Statement<DB>,
    ) -> impl Future<Output = Result<Option<DB::Row>, sqlx::Error>> + Send {
        self.first_row(statement, false)
    }

    /// [`optional`](Self::optional), as the last statement of a borrower: a long rest may stay unread, and keeps
    /// the connection from being used again.
    pub(super) fn last_optional(
        &mut self,
        statement: Statement<DB>,
    ) -> impl Future<Output = Result<Option<DB::Row>, sqlx::Error>> + Send {
        self.first_row(statement, true)
    }

    pub(super) fn first_row(
        &mut self,
        statement: Statement<DB>,
        last: bool,
    ) -> impl Future<Output = Result<Option<DB::Row>, sqlx::Error>> + Send {
        let statement = statement.unnamed(self.unnamed);
        if self.lock.is_some() {
            let waits: BoxFuture<'_, _> = Box::pin(self.first_row_patiently(statement, last));
            return Either::Left(waits);
        }
        let effect = statement.effect();
        self.warn_of(effect);
        if self.wraps(&statement) || !self.condition.is_settled() {
            let careful: BoxFuture<'_, _> = Box::pin(self.first_row_with_care(statement, last));
            return Either::Left(careful);
        }
        let again = self.again(&statement, effect);
        Either::Right(async move {
            let Self { connection, condition, .. } = &mut *self;
            match (first_row::<DB>(connection, condition, statement, effect, last).await, again) {
                (Err(_), Some(again)) if self.condition.stale => {
                    Box::pin(self.first_row_with_care(again, last)).await
                }
                (outcome, _) => outcome,
            }
        })
    }

    /// [`optional`](Self::optional), after a look at what happened before; in a transaction of its own where it
    /// must have one.
    async fn first_row_with_care(
        &mut self,
        statement: Statement<DB>,
        last: bool,
    ) -> Result<Option<DB::Row>, sqlx::Error> {
        self.settle().await?;
        let wraps = self.wraps(&statement);
        if wraps {
            self.begin(None).await?;
        }
        let effect = statement.effect();
        let Self { connection, condition, .. } = &mut *self;
        let row = first_row::<DB>(connection, condition, statement, effect, last && !wraps).await;
        match &row {
            _ if !wraps => {}
            Ok(_) => self.commit().await?,
            Err(_) => self.rollback().await?,
        }
        row
    }

    /// The rows of a statement, after a look at what happened before; a statement that is refused because of another
    /// schema is prepared and run again.
    fn rows_with_care<'e>(
        &'e mut self,
        statement: Statement<DB>,
        effect: Effect,
        mut again: Option<Statement<DB>>,
    ) -> BoxStream<'e, Result<Step<DB>, sqlx::Error>> {
        Box::pin(async_stream::try_stream! {
            let mut statement = Some(statement);
            while let Some(one) = statement.take() {
                if !self.condition.is_settled() {
                    self.settle().await?;
                }
                let mut rows = self.rows(one, effect);
                loop {
                    match rows.try_next().await {
                        Ok(Some(step)) => {
                            again = None;
                            yield step;
                        }
                        Ok(None) => break,
                        Err(_) if rows.condition.stale && again.is_some() => {
                            statement = again.take();
                            break;
                        }
                        Err(error) => Err(error)?,
                    }
                }
            }
        })
    }

    fn rows(&mut self, statement: Statement<DB>, effect: Effect) -> Watched<'_, DB> {
        let Self { connection, condition, .. } = self;
        Watched { rows: DB::fetch_many(connection, statement), condition, effect, begun: false }
    }

    /// The statement once more, where it may be run again if it is refused because of another schema: it stands alone
    /// and returns rows.
    fn again(&self, statement: &Statement<DB>, effect: Effect) -> Option<Statement<DB>> {
        let alone = effect.rows
            && effect.is_none()
            && !self.connection.is_in_transaction()
            && !self.condition.is_in_transaction();
        if alone { statement.again() } else { None }
    }

    /// Warns of a statement that a transaction pooler before the server does not bear.
    fn warn_of(&self, effect: Effect) {
        if let (Some(warnings), Some(change)) = (&self.pooled, effect.change) {
            warnings.warn_of(change);
        }
    }

    /// Whether a statement must be wrapped into a transaction of its own.
    fn wraps(&self, statement: &Statement<DB>) -> bool {
        self.unnamed
            && !statement.is_simple()
            && !self.connection.is_in_transaction()
            && !self.condition.is_in_transaction()
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
        if self.lock.is_some() {
            return self.rows_patiently(statement);
        }
        let effect = statement.effect();
        self.warn_of(effect);
        if self.wraps(&statement) {
            return wrapped(self, statement);
        }
        let again = self.again(&statement, effect);
        if self.condition.is_settled() && again.is_none() {
            return Box::pin(self.rows(statement, effect));
        }
        self.rows_with_care(statement, effect, again)
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
            if !self.condition.is_settled() {
                self.settle().await?;
            }
            let effect = preparing::<DB>(&sql);
            let prepares = DB::prepare_with(&mut self.connection, sql, parameters);
            self.condition.watch::<DB, _>(effect, prepares).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, sqlx::Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            if !self.condition.is_settled() {
                self.settle().await?;
            }
            let effect = preparing::<DB>(&sql);
            let describes = DB::describe(&mut self.connection, sql);
            self.condition.watch::<DB, _>(effect, describes).await
        })
    }
}

/// The first row of a statement, and its end.
async fn first_row<DB: Driver>(
    connection: &mut DB::Connection,
    condition: &mut Condition,
    statement: Statement<DB>,
    effect: Effect,
    last: bool,
) -> Result<Option<DB::Row>, sqlx::Error> {
    if DB::KIND != Kind::MySql {
        return condition.watch::<DB, _>(effect, DB::fetch_optional(connection, statement)).await;
    }
    // The driver would leave the rest, with its errors, to whoever has the connection next.
    let rows = DB::fetch_many(connection, statement);
    let mut rows = Watched::<DB> { rows, condition, effect, begun: false };
    let row = loop {
        match rows.try_next().await? {
            Some(step) => {
                if let Some(row) = step.right() {
                    break row;
                }
            }
            None => return Ok(None),
        }
    };
    let rest = async {
        let mut read = 0;
        while !(last && read == REST) && rows.try_next().await?.is_some() {
            read += 1;
        }
        Ok::<_, sqlx::Error>(())
    };
    if last {
        // What is not read then keeps the connection from being used again.
        tokio::time::timeout(REST_WITHIN, rest).await.unwrap_or(Ok(()))?;
    } else {
        rest.await?;
    }
    Ok(Some(row))
}

/// What preparing a statement does: a pragma of SQLite may take effect then.
fn preparing<DB: Driver>(sql: &SqlStr) -> Effect {
    match DB::KIND {
        Kind::Sqlite => Effect { change: DB::effect(sql.as_str()).change, ..Effect::NONE },
        Kind::Postgres | Kind::MySql => Effect::NONE,
    }
}

fn rolled_back(reason: &str) -> sqlx::Error {
    Error::RolledBack { reason: reason.to_owned() }.into_sqlx()
}

fn lost(reason: &str) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::ConnectionAborted, reason.to_owned()))
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
    effect: Effect,
    begun: bool,
}

impl<DB: Driver> Stream for Watched<'_, DB> {
    type Item = Result<Step<DB>, sqlx::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !std::mem::replace(&mut self.begun, true) {
            let effect = self.effect;
            self.condition.begins(effect);
        }
        let step = match self.rows.as_mut().poll_next(cx) {
            Poll::Ready(step) => step,
            Poll::Pending => {
                Some(Err(ready!(self.condition.pulse.loss(cx).map_or(Poll::Pending, Poll::Ready))))
            }
        };
        Poll::Ready(match step {
            Some(Ok(step)) => {
                self.condition.answered = true;
                Some(Ok(step))
            }
            Some(Err(error)) => {
                let effect = self.effect;
                Some(Err(self.condition.failed::<DB>(error, effect)))
            }
            None => {
                self.condition.succeeded();
                None
            }
        })
    }
}
