//! A connection on its way to a borrower and back.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::driver::Driver;
use super::pool::Pool;
use super::shelf::Object;
use super::slot::Slot;

/// A connection that is lent; dropped, it comes back.
pub(super) struct Lent<DB: Driver> {
    object: Option<Object<DB>>,
    pool: Arc<Pool<DB>>,
}

impl<DB: Driver> Lent<DB> {
    pub(super) fn new(object: Object<DB>, pool: Arc<Pool<DB>>) -> Self {
        Self { object: Some(object), pool }
    }

    /// The pool it comes back to.
    pub(super) fn pool(&self) -> &Arc<Pool<DB>> {
        &self.pool
    }

    /// The connection, and the pool it comes back to.
    pub(super) fn parts(&mut self) -> (&mut Slot<DB>, &Arc<Pool<DB>>) {
        let Self { object, pool } = self;
        (object.as_mut().expect("it is there until it is dropped"), pool)
    }

    /// The connection itself, which does not come back.
    pub(super) fn take(mut self) -> Box<Slot<DB>> {
        Object::take(self.object.take().expect("it is there until it is dropped"))
    }
}

impl<DB: Driver> Deref for Lent<DB> {
    type Target = Slot<DB>;

    fn deref(&self) -> &Slot<DB> {
        self.object.as_ref().expect("it is there until it is dropped")
    }
}

impl<DB: Driver> DerefMut for Lent<DB> {
    fn deref_mut(&mut self) -> &mut Slot<DB> {
        self.object.as_mut().expect("it is there until it is dropped")
    }
}

impl<DB: Driver> Drop for Lent<DB> {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            self.pool.lay_back(object);
        }
    }
}
