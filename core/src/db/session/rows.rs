//! Running statements: their rows, and their end.

use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::{TryStreamExt, stream};
use sqlx::{Connection, Executor};

use super::row_stream::Rows;
use super::state::SessionState;
use super::{Session, Statement};
use crate::db::driver::{Driver, Step};
use crate::db::settings::Kind;
use crate::db::sql::SessionEffect;

/// How many more rows are read after the wanted one, and for how long: the connection is used again only if all rows
/// were read.
const REST: usize = 1000;
const REST_WITHIN: Duration = Duration::from_millis(50);

impl<DB: Driver> Session<DB> {
    /// Runs a statement and returns its first row, if it has one; the other rows are read too. `last`: it is the
    /// borrower's last statement, so that many other rows may stay unread, after which the connection is closed.
    pub(in crate::db) async fn first_row(
        &mut self,
        statement: &mut Statement<DB>,
        last: bool,
    ) -> Result<Option<DB::Row>, sqlx::Error> {
        statement.persistent &= !self.is_unnamed();
        if let Some(turns) = self.turns.clone() {
            let waits: BoxFuture<'_, _> =
                Box::pin(self.first_row_when_unlocked(turns, statement, last));
            return waits.await;
        }
        self.first_row_at_once(statement, last).await
    }

    /// Runs a statement for its first row; a database that is locked is an error.
    pub(super) async fn first_row_at_once(
        &mut self,
        statement: &mut Statement<DB>,
        last: bool,
    ) -> Result<Option<DB::Row>, sqlx::Error> {
        let effect = self.effect_of(statement);
        if !self.needs_transaction(statement)
            && self.state.is_settled()
            && !self.requires_transaction(effect)
        {
            statement.keep = self.may_be_stale(statement, effect);
            let Self { connection, state, .. } = &mut *self;
            let row = first_row::<DB>(connection, state, statement, effect, last).await;
            if row.is_ok() || !(self.state.stale && statement.keep) {
                return row;
            }
        }
        let careful: BoxFuture<'_, _> = Box::pin(self.first_row_after_settling(statement, last));
        careful.await
    }

    /// Runs a statement for its rows; a database that is locked is an error.
    pub(super) fn rows_at_once(
        &mut self,
        mut statement: Statement<DB>,
    ) -> BoxStream<'_, Result<Step<DB>, sqlx::Error>> {
        let effect = self.effect_of(&mut statement);
        if self.needs_transaction(&statement) {
            return wrapped(self, statement);
        }
        let again =
            if self.may_be_stale(&statement, effect) { statement.duplicate() } else { None };
        if self.state.is_settled() && again.is_none() && !self.requires_transaction(effect) {
            return Box::pin(self.rows(statement, effect));
        }
        self.rows_after_settling(statement, effect, again)
    }

    /// Returns the effect of a statement on its session; warns of a statement that does not work through a
    /// transaction pooler.
    fn effect_of(&mut self, statement: &mut Statement<DB>) -> SessionEffect {
        let effect = statement.effect(&mut self.effects);
        if let (Some(warnings), Some(change)) = (&self.pooled, effect.change) {
            warnings.warn_of(change, &self.state.prefix);
        }
        // By the simple protocol it needs no transaction around it, in which BEGIN does nothing and VACUUM fails.
        // Rows have another format there, so this is only for statements without rows.
        if self.is_unnamed() && !effect.rows && !statement.is_several() {
            statement.simplify();
        }
        effect
    }

    /// [`first_row`](Self::first_row), after settling earlier statements; in a transaction of its own if it must have
    /// one.
    async fn first_row_after_settling(
        &mut self,
        statement: &mut Statement<DB>,
        last: bool,
    ) -> Result<Option<DB::Row>, sqlx::Error> {
        statement.keep = false;
        self.settle().await?;
        let effect = statement.effect(&mut self.effects);
        if self.requires_transaction(effect) {
            self.check_plain_transaction().await?;
        }
        let wraps = self.needs_transaction(statement);
        if wraps {
            self.begin(None).await?;
        }
        let Self { connection, state, .. } = &mut *self;
        let row = first_row::<DB>(connection, state, statement, effect, last && !wraps).await;
        match &row {
            _ if !wraps => {}
            Ok(_) => self.commit().await?,
            Err(_) => self.rollback().await?,
        }
        row
    }

    /// The rows of a statement, after settling earlier ones; a statement that is refused because the schema has
    /// changed is prepared and run again.
    fn rows_after_settling<'e>(
        &'e mut self,
        statement: Statement<DB>,
        effect: SessionEffect,
        mut again: Option<Statement<DB>>,
    ) -> BoxStream<'e, Result<Step<DB>, sqlx::Error>> {
        Box::pin(async_stream::try_stream! {
            let mut statement = Some(statement);
            while let Some(one) = statement.take() {
                if !self.state.is_settled() {
                    self.settle().await?;
                }
                if self.requires_transaction(effect) {
                    self.check_plain_transaction().await?;
                }
                let mut rows = self.rows(one, effect);
                loop {
                    match rows.try_next().await {
                        Ok(Some(step)) => {
                            again = None;
                            yield step;
                        }
                        Ok(None) => break,
                        Err(_) if rows.state.stale && again.is_some() => {
                            statement = again.take();
                            break;
                        }
                        Err(error) => Err(error)?,
                    }
                }
            }
        })
    }

    fn rows(&mut self, statement: Statement<DB>, effect: SessionEffect) -> Rows<'_, DB> {
        let Self { connection, state, .. } = self;
        Rows::new(DB::executor(connection).fetch_many(statement), state, effect)
    }

    /// Whether a statement may be refused because the schema has changed and then be run again: it stands alone and
    /// returns rows.
    fn may_be_stale(&self, statement: &Statement<DB>, effect: SessionEffect) -> bool {
        effect.rows
            && effect.is_none()
            && !self.connection.is_in_transaction()
            && !self.state.is_in_transaction()
            && statement.is_remembered()
    }
}

/// The first row of a statement, and its end.
async fn first_row<DB: Driver>(
    connection: &mut DB::Connection,
    state: &mut SessionState,
    statement: &mut Statement<DB>,
    effect: SessionEffect,
    last: bool,
) -> Result<Option<DB::Row>, sqlx::Error> {
    let reads_on = match DB::KIND {
        Kind::Postgres => false,
        // The driver would stop at the first row, and miss an error at the statement's end: of its COMMIT.
        Kind::Sqlite => !effect.query,
        Kind::MySql => true,
    };
    // Boxed, so that what only some kinds of database need does not enlarge this future.
    if reads_on {
        let last = last && effect.query;
        return Box::pin(first_of_many(connection, state, statement, effect, last)).await;
    }
    let first = DB::executor(connection).fetch_optional(statement);
    let row = state.watch::<DB, _>(effect, first).await?;
    if row.is_none() && DB::KIND == Kind::Sqlite {
        let check: BoxFuture<'_, _> = Box::pin(DB::check_thread(connection));
        state.run::<DB, _>(check).await?;
    }
    Ok(row)
}

/// The first row of a statement, after which the others are read: the drivers of MySQL and SQLite would leave them
/// and their errors unread, and the next statement on MySQL would meet them.
async fn first_of_many<DB: Driver>(
    connection: &mut DB::Connection,
    state: &mut SessionState,
    statement: &mut Statement<DB>,
    effect: SessionEffect,
    last: bool,
) -> Result<Option<DB::Row>, sqlx::Error> {
    let rows = DB::executor(connection).fetch_many(statement);
    let mut rows = Rows::<DB>::new(rows, state, effect);
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
        // If rows are left unread after that, the connection is not used again.
        tokio::time::timeout(REST_WITHIN, rest).await.unwrap_or(Ok(()))?;
    } else {
        rest.await?;
    }
    Ok(Some(row))
}

/// The rows of a statement that must be alone in a transaction. They are collected: the transaction has to end even
/// if the caller stops reading.
fn wrapped<DB: Driver>(
    session: &mut Session<DB>,
    statement: Statement<DB>,
) -> BoxStream<'_, Result<Step<DB>, sqlx::Error>> {
    let all = async move {
        session.begin(None).await?;
        let effect = statement.effect(&mut session.effects);
        let all = DB::executor(&mut session.connection).fetch_many(statement);
        let rows = session.state.watch::<DB, Vec<Step<DB>>>(effect, all.try_collect()).await;
        match &rows {
            Ok(_) => session.commit().await?,
            Err(_) => session.rollback().await?,
        }
        Ok::<_, sqlx::Error>(stream::iter(rows?.into_iter().map(Ok)))
    };
    Box::pin(stream::once(all).try_flatten())
}
