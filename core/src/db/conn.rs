//! A borrowed connection.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::driver::Driver;
use super::lent::Lent;
use super::pool::Pool;
use super::session::Session;
use super::{Error, Tx};

/// A connection that is borrowed until it is dropped.
///
/// It lends a [`Session`], which is an sqlx `Executor`: `query.fetch_one(&mut *conn)`. When it is dropped
/// the connection goes to whoever waits longest, without any I/O; if something begun on it was not finished
/// (a query or stream that was dropped, a transaction, a changed session, a panic) it is closed instead, and
/// the server ends what it still did for it.
pub struct Conn<DB: Driver> {
    lent: Option<Lent<DB>>,
}

impl<DB: Driver> Conn<DB> {
    pub(super) fn new(lent: Lent<DB>) -> Self {
        Self { lent: Some(lent) }
    }

    /// Begins a transaction that owns this connection.
    ///
    /// On SQLite it waits for its turn to write as [`Db::begin`](super::Db::begin) does.
    ///
    /// # Errors
    /// [`Error`] where the database is lost or refuses.
    pub async fn begin(mut self) -> Result<Tx<DB>, Error> {
        let pool = self.lent.as_ref().map(|lent| Arc::clone(lent.pool()));
        let writer = match pool {
            Some(pool) => pool.turn_to_write().await?,
            None => None,
        };
        self.begin_here().await?;
        Ok(Tx::new(self, writer))
    }

    pub(super) async fn begin_here(&mut self) -> Result<(), Error> {
        let limit = self.lent.as_ref().and_then(|lent| lent.pool().limit_of_transactions());
        Session::begin_patiently(self, limit).await.map_err(|error| self.explain(error))
    }

    /// Closes the connection instead of lending it again.
    pub fn close(mut self) {
        let _ = self.raw();
    }

    pub(super) fn explain(&self, error: sqlx::Error) -> Error {
        Error::from_session::<DB>(error)
    }
}

impl<DB: Driver> Deref for Conn<DB> {
    type Target = Session<DB>;

    fn deref(&self) -> &Session<DB> {
        &self.lent.as_ref().expect("the connection is there until it is dropped").session
    }
}

impl<DB: Driver> DerefMut for Conn<DB> {
    fn deref_mut(&mut self) -> &mut Session<DB> {
        &mut self.lent.as_mut().expect("the connection is there until it is dropped").session
    }
}

impl<DB: Driver> Drop for Conn<DB> {
    fn drop(&mut self) {
        if let Some(lent) = self.lent.take() {
            Pool::take_back(lent);
        }
    }
}

impl<DB: Driver> fmt::Debug for Conn<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Conn").field(&**self).finish()
    }
}
