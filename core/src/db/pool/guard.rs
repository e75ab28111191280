//! The one guard of a connection: dropped, it gives the connection back or closes it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use deadpool::unmanaged::Object;
use tokio::time::Instant;

use super::Pool;
use super::counts::Reason;
use super::entry::{Entry, Purpose};
use crate::db::connect::Connect;

/// A connection that is borrowed from a pool until it is dropped.
pub(in crate::db) struct PooledConnection<C: Connect> {
    object: Option<Object<Box<Entry<C::Connection>>>>,
    pool: Arc<Pool<C>>,
}

impl<C: Connect> PooledConnection<C> {
    pub(super) fn new(object: Object<Box<Entry<C::Connection>>>, pool: &Arc<Pool<C>>) -> Self {
        Self { object: Some(object), pool: Arc::clone(pool) }
    }

    /// The pool it goes back to.
    pub(in crate::db) fn pool(&self) -> &Arc<Pool<C>> {
        &self.pool
    }

    pub(super) fn entry(&self) -> &Entry<C::Connection> {
        self.object.as_ref().expect("it is there until the guard is dropped")
    }

    pub(super) fn entry_mut(&mut self) -> &mut Entry<C::Connection> {
        self.object.as_mut().expect("it is there until the guard is dropped")
    }

    /// Records the holder.
    pub(super) fn lend(self, purpose: Purpose, since: Instant) -> Self {
        self.entry().monitor.lend(purpose, since);
        self
    }

    /// Closes the connection. `lost`: the server is not there to notice.
    pub(super) fn discard(mut self, reason: Reason, lost: bool) {
        let object = self.object.take().expect("it is there until the guard is dropped");
        self.pool.discard(*Object::take(object), reason, lost);
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
        if let Some(object) = self.object.take() {
            self.pool.put_back(object);
        }
    }
}
