//! Waiting for the lock of a database that takes one writer at a time (SQLite): by the caller, who can give up.
//!
//! SQLite can wait by itself, in the connection's thread. That thread knows of no deadline, and would write what its
//! caller has given up long ago.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_core::stream::BoxStream;
use futures_util::TryStreamExt;
use sqlx::Executor;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::driver::{Driver, Step};
use super::error::Error;
use super::session::Session;
use super::statement::Statement;
use crate::deadline;

/// The pauses between two attempts, in milliseconds: an attempt costs microseconds.
const PAUSE: std::ops::Range<u64> = 1..10;

/// How the statements of one pool wait for the lock.
#[derive(Clone, Debug)]
pub(super) struct LockWait {
    /// The turn to write, which transactions of this process take in order.
    turns: Arc<Semaphore>,
    timeout: Duration,
}

impl LockWait {
    pub(super) fn new(turns: &Arc<Semaphore>, timeout: Duration) -> Self {
        Self { turns: Arc::clone(turns), timeout }
    }

    /// Begins to wait: for as long as for a connection, and no longer than the request has.
    fn begin(&self, has_turn: bool) -> Waiting<'_> {
        let begun = Instant::now();
        let until = begun + self.timeout;
        let until = deadline::current().map_or(until, |deadline| deadline.min(until));
        Waiting { lock: self, begun, until, has_turn, _turn: None }
    }
}

/// One caller's wait.
struct Waiting<'l> {
    lock: &'l LockWait,
    begun: Instant,
    until: Instant,
    /// Whether the turn to write is held here or by the caller.
    has_turn: bool,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Waiting<'_> {
    /// Waits before the next attempt, for the turn first; an error if the time is up.
    async fn next(&mut self, error: sqlx::Error) -> Result<(), sqlx::Error> {
        if !self.has_turn {
            let turn = Arc::clone(&self.lock.turns).acquire_owned();
            if let Ok(Ok(turn)) = tokio::time::timeout_at(self.until.into(), turn).await {
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

/// Whether another connection holds a lock that it will let go of.
fn is_locked(error: &sqlx::Error) -> bool {
    let Some(code) = error.as_database_error().and_then(sqlx::error::DatabaseError::code) else {
        return false;
    };
    // SQLITE_BUSY and SQLITE_LOCKED are in the lower eight bits. A snapshot that is too old (517) stays so.
    code.parse::<u32>().is_ok_and(|code| code != 517 && matches!(code & 0xff, 5 | 6))
}

/// A session that does not wait meanwhile: its caller does.
struct Impatient<'s, DB: Driver> {
    session: &'s mut Session<DB>,
    lock: LockWait,
}

impl<'s, DB: Driver> Impatient<'s, DB> {
    fn new(session: &'s mut Session<DB>) -> Option<Self> {
        let lock = session.lock.take()?;
        Some(Self { session, lock })
    }
}

impl<DB: Driver> Drop for Impatient<'_, DB> {
    fn drop(&mut self) {
        self.session.lock = Some(self.lock.clone());
    }
}

impl<DB: Driver> Deref for Impatient<'_, DB> {
    type Target = Session<DB>;

    fn deref(&self) -> &Session<DB> {
        self.session
    }
}

impl<DB: Driver> DerefMut for Impatient<'_, DB> {
    fn deref_mut(&mut self) -> &mut Session<DB> {
        self.session
    }
}

impl<DB: Driver> Session<DB> {
    /// Begins a transaction, whose caller has the turn to write.
    pub(super) async fn begin_patiently(
        &mut self,
        limit: Option<Duration>,
    ) -> Result<(), sqlx::Error> {
        let Some(mut session) = Impatient::new(self) else { return self.begin(limit).await };
        let lock = session.lock.clone();
        let mut waiting = lock.begin(true);
        loop {
            match session.begin(limit).await {
                Err(error) if is_locked(&error) => waiting.next(error).await?,
                outcome => return outcome,
            }
        }
    }

    /// Runs a statement for its first row, waiting for the lock.
    pub(super) async fn first_row_patiently(
        &mut self,
        statement: Statement<DB>,
        last: bool,
    ) -> Result<Option<DB::Row>, sqlx::Error> {
        let has_turn = self.has_turn();
        // Of several statements some may have taken effect before the lock was met.
        let single = statement.is_single();
        let Some(mut session) = Impatient::new(self).filter(|_| single) else {
            return self.first_row_at_once(statement, last).await;
        };
        let lock = session.lock.clone();
        let mut waiting = lock.begin(has_turn);
        let mut next = Some(statement);
        while let Some(statement) = next {
            let again = statement.duplicate();
            match session.first_row(statement, last).await {
                Err(error) if is_locked(&error) && again.is_some() => waiting.next(error).await?,
                outcome => return outcome,
            }
            next = again;
        }
        unreachable!("the loop ends with an outcome")
    }

    /// The steps of a statement, waiting for the lock before the first.
    pub(super) fn rows_patiently(
        &mut self,
        statement: Statement<DB>,
    ) -> BoxStream<'_, Result<Step<DB>, sqlx::Error>> {
        Box::pin(async_stream::try_stream! {
            let has_turn = self.has_turn();
            let Some(mut session) = Impatient::new(self) else { return };
            let lock = session.lock.clone();
            let mut waiting = lock.begin(has_turn);
            let mut next = Some(statement);
            while let Some(statement) = next.take() {
                let again = statement.duplicate();
                let mut rows = session.fetch_many(statement);
                match rows.try_next().await {
                    Err(error) if is_locked(&error) && again.is_some() => {
                        drop(rows);
                        waiting.next(error).await?;
                        next = again;
                    }
                    outcome => {
                        let mut step = outcome?;
                        while let Some(one) = step {
                            yield one;
                            step = rows.try_next().await?;
                        }
                    }
                }
            }
        })
    }

    async fn first_row_at_once(
        &mut self,
        statement: Statement<DB>,
        last: bool,
    ) -> Result<Option<DB::Row>, sqlx::Error> {
        let lock = self.lock.take();
        let outcome = self.first_row(statement, last).await;
        self.lock = lock;
        outcome
    }

    /// Whether a transaction is open, whose owner has the turn to write.
    fn has_turn(&self) -> bool {
        sqlx::Connection::is_in_transaction(&self.connection)
    }
}
