//! The first row of a statement, and what happens to the others.

use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::TryStreamExt;
use sqlx::{Connection, Executor};

use super::Statement;
use super::rows::Rows;
use super::state::SessionState;
use crate::db::driver::Driver;
use crate::db::settings::Kind;
use crate::db::sql::Effect;

/// How many more rows are read, and for how long, after the one that is wanted: only then can the connection be used
/// again.
const REST: usize = 1000;
const REST_WITHIN: Duration = Duration::from_millis(50);

/// The first row of a statement, and its end.
pub(super) async fn first_row<DB: Driver>(
    connection: &mut DB::Connection,
    state: &mut SessionState,
    statement: Statement<DB>,
    effect: Effect,
    last: bool,
) -> Result<Option<DB::Row>, sqlx::Error> {
    // Boxed: what another kind of database needs does not make this future larger.
    if DB::KIND == Kind::MySql {
        return Box::pin(first_of_many(connection, state, statement, effect, last)).await;
    }
    let first = DB::executor(connection).fetch_optional(statement);
    let row = state.watch::<DB, _>(effect, first).await?;
    if row.is_none() && DB::KIND == Kind::Sqlite {
        // A driver's thread that has died looks like a statement without rows.
        let ping: BoxFuture<'_, _> = Box::pin(connection.ping());
        state.watch::<DB, _>(Effect::NONE, ping).await?;
    }
    Ok(row)
}

/// The first row of a statement, whose other rows are read too: MySQL's driver would leave them, with their errors,
/// to the next statement of the connection.
async fn first_of_many<DB: Driver>(
    connection: &mut DB::Connection,
    state: &mut SessionState,
    statement: Statement<DB>,
    effect: Effect,
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
        // What is not read then keeps the connection from being used again.
        tokio::time::timeout(REST_WITHIN, rest).await.unwrap_or(Ok(()))?;
    } else {
        rest.await?;
    }
    Ok(Some(row))
}
