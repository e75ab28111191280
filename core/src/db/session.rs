//! One open connection that notices unfinished work and changed sessions.

mod lock_wait;
mod pending_reply;
mod row_stream;
mod rows;
mod state;
mod statement;
mod transaction;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::{Connection, Execute, Executor, SqlStr};
use sqlx_core::describe::Describe;

use super::driver::{Driver, ServerIdentity, ServerInfo, Step};
use super::pooled::PoolerWarnings;
use super::settings::{Kind, Pooler};
use super::sql::{KnownEffects, SessionEffect, effect};
pub(super) use lock_wait::WriteTurns;
pub(super) use pending_reply::PendingReply;
pub(super) use state::{Loan, SessionState, Taint};
pub(super) use statement::Statement;

/// One open connection, as [`Conn`](super::Conn) and [`Tx`](super::Tx) lend it: an sqlx `Executor` that
/// knows whether everything begun on it was finished.
///
/// A function that takes `&mut Session<DB>` runs inside a transaction and outside of one.
///
/// A connection is used again only if its session is as it was. That is known of common statements, and of changes
/// that end with their transaction: `SET LOCAL`, `SET CONSTRAINTS`, a table `ON COMMIT DROP`. After any other
/// statement (`SET`, `LOCK TABLES`, `CALL`, `PRAGMA x = y`, an unknown one) the connection is closed when it comes
/// back; [`Stats::changes`](super::Stats::changes) counts how often.
///
/// If the server reads backslashes in strings in another way than by default (`NO_BACKSLASH_ESCAPES` of MySQL,
/// `standard_conforming_strings = off` of PostgreSQL), a text with a backslash counts as unknown.
///
/// Functions are the exception: a call changes the session only if the function is known to, as `pg_advisory_lock`,
/// `set_config` and `GET_LOCK` are. After calling a function of your own that changes the session, undo the change,
/// or call [`Conn::close`](super::Conn::close).
pub struct Session<DB: Driver> {
    pub(super) connection: DB::Connection,
    pub(super) state: SessionState,
    pub(super) effects: KnownEffects,
    /// The pooler between this process and the server.
    pub(super) pooler: Pooler,
    /// The warnings of statements that do not work through a transaction pooler, if one stands before the server.
    pub(super) pooled: Option<Arc<PoolerWarnings>>,
    /// The turn to write, if the database takes one writer at a time (SQLite).
    pub(super) turns: Option<Arc<WriteTurns>>,
    /// The answers of its server when it was opened.
    pub(super) server: ServerInfo,
    /// How long it took to open.
    pub(super) connect_time: Duration,
}

impl<DB: Driver> Session<DB> {
    /// Returns the driver's own connection, for what an `Executor` cannot do, such as `COPY`.
    ///
    /// Changes made through it are not noticed, so the connection is closed instead of being used again. On SQLite it
    /// waits for no lock: set `PRAGMA busy_timeout`.
    pub fn raw(&mut self) -> &mut DB::Connection {
        self.state.raw = true;
        &mut self.connection
    }

    /// Returns the reason if the next borrower must not have this connection.
    pub(super) fn taint(&self) -> Option<Taint> {
        let unfinished = self.connection.is_in_transaction() || self.connection.should_flush();
        self.state.taint().or_else(|| unfinished.then_some(Taint::Dirty))
    }

    /// Whether it is known to lead to this server.
    pub(super) fn leads_to(&self, server: ServerIdentity) -> bool {
        self.server.backend.is_some_and(|backend| backend.server.is(server))
    }

    /// Which of these connections the server is at work for, by its ids.
    pub(super) async fn at_work(&mut self, ids: &[i64]) -> Result<Vec<i64>, sqlx::Error> {
        let asks = DB::at_work(&mut self.connection, ids);
        self.state.run::<DB, _>(asks).await
    }

    /// Whether every statement must be unnamed and inside a transaction, which holds the pooler to one connection.
    pub(super) fn is_unnamed(&self) -> bool {
        self.pooler == Pooler::PgBouncer
    }

    /// Asks the server again about itself.
    pub(super) async fn server_info(&mut self) -> Result<ServerInfo, sqlx::Error> {
        let asks = DB::server_info(&mut self.connection, self.pooler);
        self.state.run::<DB, _>(asks).await
    }

    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        self.state.run::<DB, _>(self.connection.ping()).await
    }

    /// Settles earlier statements, and returns the effect of preparing one: SQLite may run a pragma when it is
    /// prepared.
    async fn before_preparing(&mut self, sql: &SqlStr) -> Result<SessionEffect, sqlx::Error> {
        if !self.state.is_settled() {
            self.settle().await?;
        }
        Ok(match DB::KIND {
            Kind::Sqlite => SessionEffect {
                change: effect(sql.as_str(), DB::KIND).change,
                ..SessionEffect::NONE
            },
            Kind::Postgres | Kind::MySql => SessionEffect::NONE,
        })
    }

    /// Whether a statement must be wrapped into a transaction of its own.
    fn needs_transaction(&self, statement: &Statement<DB>) -> bool {
        self.is_unnamed()
            && !statement.is_simple()
            && !self.connection.is_in_transaction()
            && !self.state.is_in_transaction()
    }
}

impl<DB: Driver> fmt::Debug for Session<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<'c, DB: Driver> Executor<'c> for &'c mut Session<DB> {
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<DB>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let mut statement = Statement::from_query(query);
        statement.persistent &= !self.is_unnamed();
        match self.turns.clone() {
            Some(turns) => self.rows_when_unlocked(turns, statement),
            None => self.rows_at_once(statement),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let mut statement = Statement::from_query(query);
        Box::pin(async move { self.first_row(&mut statement, false).await })
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
            let effect = self.before_preparing(&sql).await?;
            let prepares = DB::executor(&mut self.connection).prepare_with(sql, parameters);
            self.state.watch::<DB, _>(effect, prepares).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, sqlx::Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let effect = self.before_preparing(&sql).await?;
            let describes = DB::executor(&mut self.connection).describe(sql);
            self.state.watch::<DB, _>(effect, describes).await
        })
    }
}
