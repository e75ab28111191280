//! A part of a transaction that can be undone by itself.

use std::ops::{Deref, DerefMut};

use super::driver::Driver;
use super::session::Session;
use super::{Error, Tx};

/// A savepoint of a [`Tx`]. It lends the same [`Session`]: `query.execute(&mut *savepoint)`.
///
/// Dropped without [`release`](Self::release) or [`rollback`](Self::rollback) it makes the whole transaction fail:
/// dropping sends nothing, so that what was done since could not be undone alone.
#[derive(Debug)]
#[must_use = "a savepoint that is dropped makes its transaction fail"]
pub struct Savepoint<'t, DB: Driver> {
    session: &'t mut Session<DB>,
    over: bool,
}

impl<DB: Driver> Tx<DB> {
    /// Sets a savepoint. Savepoints may be nested: a savepoint has this method as well.
    ///
    /// # Errors
    /// As for a statement.
    pub async fn savepoint(&mut self) -> Result<Savepoint<'_, DB>, Error> {
        Savepoint::set(self).await
    }
}

impl<'t, DB: Driver> Savepoint<'t, DB> {
    async fn set(session: &'t mut Session<DB>) -> Result<Self, Error> {
        session.savepoint().await.map_err(Error::from_session::<DB>)?;
        Ok(Self { session, over: false })
    }

    /// Sets a savepoint inside this one.
    ///
    /// # Errors
    /// As for a statement.
    pub async fn savepoint(&mut self) -> Result<Savepoint<'_, DB>, Error> {
        Savepoint::set(self.session).await
    }

    /// Keeps what was done since, as a part of the transaction.
    ///
    /// # Errors
    /// [`Error::Query`] if a statement has failed since: then the whole transaction has to be rolled back.
    pub async fn release(mut self) -> Result<(), Error> {
        let released = self.session.release_savepoint().await;
        self.over = released.is_ok();
        released.map_err(Error::from_session::<DB>)
    }

    /// Undoes what was done since; the transaction goes on, also after an error.
    ///
    /// # Errors
    /// [`Error::Lost`] if the connection broke; the whole transaction is rolled back then.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let rolled_back = self.session.rollback_savepoint().await;
        self.over = rolled_back.is_ok();
        rolled_back.map_err(Error::from_session::<DB>)
    }
}

impl<DB: Driver> Drop for Savepoint<'_, DB> {
    fn drop(&mut self) {
        if !self.over {
            self.session.fail_transaction("a savepoint was neither released nor rolled back");
        }
    }
}

impl<DB: Driver> Deref for Savepoint<'_, DB> {
    type Target = Session<DB>;

    fn deref(&self) -> &Session<DB> {
        self.session
    }
}

impl<DB: Driver> DerefMut for Savepoint<'_, DB> {
    fn deref_mut(&mut self) -> &mut Session<DB> {
        self.session
    }
}
