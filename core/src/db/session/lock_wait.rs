//! Waiting for the lock of a database that takes one writer at a time (SQLite): by the caller, which can give up.
//!
//! SQLite can wait by itself, in the connection's thread. That thread knows of no deadline, and would write what its
//! caller has given up long ago. It also keeps no order: under load the last writer to come may be the first to write.

use std::sync::Arc;
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::TryStreamExt;
use sqlx::Connection as _;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::{Session, Statement};
use crate::db::driver::{Driver, Step};
use crate::db::error::Error;
use crate::deadline;

/// The pauses between two attempts, in milliseconds: an attempt costs microseconds.
const PAUSE: std::ops::Range<u64> = 1..10;

/// The turn to write, which the transactions of one process take in order.
#[derive(Debug)]
pub(in crate::db) struct WriteTurns {
    turn: Arc<Semaphore>,
    /// One clone for each caller that waits.
    waiting: Arc<()>,
    /// How long a statement waits for the lock: as long as a caller waits for a connection.
    timeout: Duration,
}

impl WriteTurns {
    pub(in crate::db) fn new(timeout: Duration) -> Arc<Self> {
        Arc::new(Self { turn: Arc::new(Semaphore::new(1)), waiting: Arc::default(), timeout })
    }

    /// Waits for the turn: `None` if it does not come in time, an error if the database is closed.
    pub(in crate::db) async fn acquire(
        &self,
        until: Instant,
    ) -> Option<Result<OwnedSemaphorePermit, AcquireError>> {
        let _waiting = Arc::clone(&self.waiting);
        timeout_at(until, Arc::clone(&self.turn).acquire_owned()).await.ok()
    }

    /// Returns how many callers wait for their turn.
    pub(in crate::db) fn waiting(&self) -> usize {
        Arc::strong_count(&self.waiting) - 1
    }

    /// Refuses every caller that waits.
    pub(in crate::db) fn close(&self) {
        self.turn.close();
    }

    /// Begins to wait for the lock: for as long as for a connection, and no longer than the request has.
    fn attempts(self: Arc<Self>, has_turn: bool) -> Attempts {
        let begun = Instant::now();
        let until = deadline::at_most(begun + self.timeout);
        Attempts { turns: self, begun, until, has_turn, _turn: None }
    }
}

/// The attempts of one caller to get the lock.
struct Attempts {
    turns: Arc<WriteTurns>,
    begun: Instant,
    until: Instant,
    /// Whether the turn to write is held here or by the caller.
    has_turn: bool,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Attempts {
    /// Waits before the next attempt, for the turn first; an error if the time is up.
    async fn next(&mut self, error: sqlx::Error) -> Result<(), sqlx::Error> {
        if !self.has_turn {
            if let Some(Ok(turn)) = self.turns.acquire(self.until).await {
                self.has_turn = true;
                self._turn = Some(turn);
                return Ok(());
            }
        } else if Instant::now() < self.until {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(PAUSE))).await;
            return Ok(());
        }
        let waited = self.begun.elapsed();
        Err(Error::Locked { waited, cause: Arc::new(error) }.into_sqlx())
    }
}

/// Whether the error says that another connection holds a lock, which it will release.
fn is_locked(error: &sqlx::Error) -> bool {
    let Some(code) = error.as_database_error().and_then(sqlx::error::DatabaseError::code) else {
        return false;
    };
    // SQLITE_BUSY and SQLITE_LOCKED are in the lower eight bits. A snapshot that is too old (517) stays too old.
    code.parse::<u32>().is_ok_and(|code| code != 517 && matches!(code & 0xff, 5 | 6))
}

impl<DB: Driver> Session<DB> {
    /// Begins a transaction, whose caller has the turn to write.
    pub(in crate::db) async fn begin_when_unlocked(
        &mut self,
        limit: Option<Duration>,
    ) -> Result<(), sqlx::Error> {
        let Some(turns) = self.turns.clone() else { return self.begin(limit).await };
        let mut attempts = turns.attempts(true);
        loop {
            match self.begin(limit).await {
                Err(error) if is_locked(&error) => attempts.next(error).await?,
                outcome => return outcome,
            }
        }
    }

    /// Runs a statement for its first row, waiting for the lock.
    pub(super) async fn first_row_when_unlocked(
        &mut self,
        turns: Arc<WriteTurns>,
        statement: &mut Statement<DB>,
        last: bool,
    ) -> Result<Option<DB::Row>, sqlx::Error> {
        // Some of several statements may have taken effect before one met the lock, so each waits by itself.
        if statement.is_several() {
            let mut rows = self.rows_when_unlocked(turns, statement.take());
            let mut first = None;
            while let Some(step) = rows.try_next().await? {
                first = first.or(step.right());
            }
            return Ok(first);
        }
        let mut attempts = turns.attempts(self.connection.is_in_transaction());
        loop {
            let again = statement.duplicate();
            match (self.first_row_at_once(statement, last).await, again) {
                (Err(error), Some(again)) if is_locked(&error) => {
                    attempts.next(error).await?;
                    *statement = again;
                }
                (outcome, _) => return outcome,
            }
        }
    }

    /// The results of a statement, waiting for the lock before the first.
    pub(super) fn rows_when_unlocked(
        &mut self,
        turns: Arc<WriteTurns>,
        statement: Statement<DB>,
    ) -> BoxStream<'_, Result<Step<DB>, sqlx::Error>> {
        Box::pin(async_stream::try_stream! {
            let mut attempts = turns.attempts(self.connection.is_in_transaction());
            for statement in statement.split() {
                let mut next = Some(statement);
                while let Some(statement) = next.take() {
                    let again = statement.duplicate();
                    let mut rows = self.rows_at_once(statement);
                    match (rows.try_next().await, again) {
                        (Err(error), Some(again)) if is_locked(&error) => {
                            drop(rows);
                            attempts.next(error).await?;
                            next = Some(again);
                        }
                        (outcome, _) => {
                            let mut step = outcome?;
                            while let Some(one) = step {
                                yield one;
                                step = rows.try_next().await?;
                            }
                        }
                    }
                }
            }
        })
    }
}
