//! A borrowed connection.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::Error;
use super::connect::Connector;
use super::driver::Driver;
use super::pool::{Pool, PooledConnection};
use super::session::Session;
use super::settings::Pooler;
use crate::deadline;

/// The pool behind a [`Db`](super::Db).
pub(super) type DbPool<DB> = Pool<Arc<Connector<DB>>>;

/// A connection that is borrowed until it is dropped.
///
/// It lends a [`Session`], which is an sqlx `Executor`: `query.fetch_one(&mut *conn)`. When it is dropped the
/// connection goes to the caller that has waited longest, without any I/O; if something begun on it was not finished
/// (a query or stream that was dropped, a transaction, a changed session, a panic) it is closed instead, and the
/// server ends the work that it still did for it.
pub struct Conn<DB: Driver> {
    guard: PooledConnection<Arc<Connector<DB>>>,
}

impl<DB: Driver> Conn<DB> {
    pub(super) fn new(guard: PooledConnection<Arc<Connector<DB>>>) -> Self {
        Self { guard }
    }

    pub(super) async fn begin_transaction(&mut self) -> Result<(), Error> {
        // On a host that may freeze this process during the transaction the server ends it at the request's deadline.
        // Not through RDS Proxy, which pins a client that sets anything to one connection.
        let pool = self.pool();
        let limited = pool.may_freeze() && pool.connector().pooler != Pooler::RdsProxy;
        let limit = limited.then(deadline::remaining).flatten();
        self.begin_when_unlocked(limit).await.map_err(Error::from_session::<DB>)
    }

    /// Closes the connection instead of lending it again.
    pub fn close(mut self) {
        let _ = self.raw();
    }

    pub(super) fn pool(&self) -> &DbPool<DB> {
        self.guard.pool()
    }
}

impl<DB: Driver> Deref for Conn<DB> {
    type Target = Session<DB>;

    fn deref(&self) -> &Session<DB> {
        &self.guard
    }
}

impl<DB: Driver> DerefMut for Conn<DB> {
    fn deref_mut(&mut self) -> &mut Session<DB> {
        &mut self.guard
    }
}

impl<DB: Driver> fmt::Debug for Conn<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Conn").field(&**self).finish()
    }
}
