//! The order of writers, where a database takes one at a time.
//!
//! SQLite lets a writer wait by trying again, with no order among those who do: under load the last to come may be
//! the first to write, and one that waits long gives up although others got their turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Error;
use super::connect::{Connect, ConnectFailure};
use super::pool::{CallerTime, Pool};

/// One permit, for the transaction that writes.
#[derive(Debug)]
pub(super) struct Writers {
    turn: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Writers {
    /// Those who take turns by this semaphore.
    pub(super) fn new(turn: &Arc<Semaphore>) -> Self {
        Self { turn: Arc::clone(turn), waiting: AtomicUsize::new(0) }
    }

    /// Waits for the turn to write: in order, and for no longer than for a connection.
    pub(super) async fn turn<C>(&self, pool: &Arc<Pool<C>>) -> Result<OwnedSemaphorePermit, Error>
    where
        C: Connect<Failure = ConnectFailure>,
    {
        if let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() {
            return Ok(turn);
        }
        let time = CallerTime::from(Instant::now(), pool.plan().acquire_timeout());
        let _waiting = Waiting::join(&self.waiting);
        match tokio::time::timeout_at(time.until, Arc::clone(&self.turn).acquire_owned()).await {
            Ok(turn) => turn.map_err(|_| Error::Closed),
            Err(_) => {
                pool.timed_out();
                Err(time.is_up::<ConnectFailure>(pool.state()).into())
            }
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Refuses whoever waits.
    pub(super) fn close(&self) {
        self.turn.close();
    }
}

/// A writer that waits; counted until it is dropped.
struct Waiting<'w>(&'w AtomicUsize);

impl<'w> Waiting<'w> {
    fn join(waiting: &'w AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
