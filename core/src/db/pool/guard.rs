//! The one guard of a connection: dropped, it gives the connection back or closes it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use deadpool::unmanaged::Object;
use tokio::time::Instant;

use super::Pool;
use super::counts::Reason;
use super::entry::{Entry, Purpose};
use super::queue::Pooled;
use crate::db::connect::Connect;

/// A connection that is borrowed from a pool until it is dropped.
pub(in crate::db) struct PooledConnection<C: Connect> {
    entry: Option<Pooled<C>>,
    pool: Arc<Pool<C>>,
}

impl<C: Connect> PooledConnection<C> {
    pub(super) fn new(entry: Pooled<C>, pool: &Arc<Pool<C>>) -> Self {
        Self { entry: Some(entry), pool: Arc::clone(pool) }
    }

    /// Takes the connection out, so that dropping the guard does nothing.
    pub(super) fn into_entry(mut self) -> Pooled<C> {
        self.entry.take().expect("it is there until the guard is dropped")
    }

    /// The pool it goes back to.
    pub(in crate::db) fn pool(&self) -> &Arc<Pool<C>> {
        &self.pool
    }

    pub(super) fn entry(&self) -> &Entry<C::Connection> {
        self.entry.as_ref().expect("it is there until the guard is dropped")
    }

    pub(super) fn entry_mut(&mut self) -> &mut Entry<C::Connection> {
        self.entry.as_mut().expect("it is there until the guard is dropped")
    }

    /// Records the holder.
    pub(super) fn lend(self, purpose: Purpose, since: Instant) -> Self {
        self.entry().monitor.lend(purpose, since);
        self
    }

    /// Closes the connection. `lost`: the server does not count it any more.
    pub(super) fn discard(self, reason: Reason, lost: bool) {
        let pool = Arc::clone(&self.pool);
        pool.discard(*Object::take(self.into_entry()), reason, lost);
    }
}

impl<C: Connect> Deref for PooledConnection<C> {
    type Target = C::Connection;

    fn deref(&self) -> &C::Connection {
        &self.entry().connection
    }
}

impl<C: Connect> DerefMut for PooledConnection<C> {
    fn deref_mut(&mut self) -> &mut C::Connection {
        &mut self.entry_mut().connection
    }
}

impl<C: Connect> Drop for PooledConnection<C> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.pool.put_back(entry);
        }
    }
}
