//! A transaction that owns its connection.

use std::ops::{Deref, DerefMut};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::conn::DbPool;
use super::driver::Driver;
use super::session::Session;
use super::{Conn, Error};
use crate::deadline;

/// A transaction. It borrows nothing, so it can be kept in a struct or sent to a task.
///
/// It lends a [`Session`], as [`Conn`] does: `query.execute(&mut *tx)`. Dropped without
/// [`commit`](Self::commit) it closes its connection: the server rolls back and releases its locks at once,
/// even if the pool is never used again.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Tx<DB: Driver> {
    conn: Conn<DB>,
    /// The turn to write, if the database takes one writer at a time.
    _turn: Option<OwnedSemaphorePermit>,
}

impl<DB: Driver> Conn<DB> {
    /// Begins a transaction that owns this connection.
    ///
    /// On SQLite it waits for its turn to write as [`Db::begin`](super::Db::begin) does.
    ///
    /// # Errors
    /// [`Error`] if the database is lost or refuses.
    pub async fn begin(mut self) -> Result<Tx<DB>, Error> {
        let turn = write_turn(self.pool()).await?;
        self.begin_transaction().await?;
        Ok(Tx::new(self, turn))
    }
}

impl<DB: Driver> Tx<DB> {
    pub(super) fn new(conn: Conn<DB>, turn: Option<OwnedSemaphorePermit>) -> Self {
        Self { conn, _turn: turn }
    }

    /// Makes everything done in the transaction permanent.
    ///
    /// # Errors
    /// [`Error::Query`] if the server refuses, because a statement had failed or a deferred constraint does not hold;
    /// [`Error::RolledBack`] if the transaction was over already: a statement of its own had ended it, or the server
    /// had after an error such as a deadlock; [`Error::Lost`] if the connection broke: before COMMIT was sent nothing
    /// took effect, afterwards that is unknown.
    pub async fn commit(mut self) -> Result<(), Error> {
        Session::commit(&mut self.conn).await.map_err(Error::from_session::<DB>)
    }

    /// Undoes everything done in the transaction, apart from what a statement of its own has committed: COMMIT, on
    /// MySQL also DDL.
    ///
    /// # Errors
    /// [`Error::Lost`] if the connection broke; the server has rolled back then too.
    pub async fn rollback(mut self) -> Result<(), Error> {
        Session::rollback(&mut self.conn).await.map_err(Error::from_session::<DB>)
    }
}

impl<DB: Driver> Deref for Tx<DB> {
    type Target = Session<DB>;

    fn deref(&self) -> &Session<DB> {
        &self.conn
    }
}

impl<DB: Driver> DerefMut for Tx<DB> {
    fn deref_mut(&mut self) -> &mut Session<DB> {
        &mut self.conn
    }
}

/// Waits for the turn to write, if the database takes one writer at a time: in order, and for no longer than for a
/// connection.
pub(super) async fn write_turn<DB: Driver>(
    pool: &DbPool<DB>,
) -> Result<Option<OwnedSemaphorePermit>, Error> {
    let Some(turns) = &pool.connector().turns else { return Ok(None) };
    let begun = Instant::now();
    let until = deadline::at_most(begun + pool.plan().acquire_timeout());
    match turns.acquire(until).await {
        Some(turn) => turn.map(Some).map_err(|_| Error::Closed),
        None => Err(pool.timeout_error(begun, until, pool.state())),
    }
}
