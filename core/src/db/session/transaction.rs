//! Transactions: COMMIT returns Ok only if everything was committed.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::{Connection, SqlStr};
use sqlx_core::sql_str::{AssertSqlSafe, SqlSafeStr};
use sqlx_core::transaction::TransactionManager as _;

use super::Session;
use super::state::Transaction;
use crate::db::Error;
use crate::db::driver::Driver;
use crate::db::settings::Kind;
use crate::db::sql::SessionEffect;

impl<DB: Driver> Session<DB> {
    /// Begins a transaction. If the time is limited, the server ends it by itself.
    pub(in crate::db) async fn begin(
        &mut self,
        limit: Option<Duration>,
    ) -> Result<(), sqlx::Error> {
        self.settle().await?;
        let limited = limit.and_then(DB::begin_within);
        // The text is ours except for a number.
        let limited = limited.map(|begin| AssertSqlSafe(begin).into_sql_str());
        let begin = limited.or_else(|| DB::BEGIN.map(SqlStr::from_static));
        let begins = DB::TransactionManager::begin(&mut self.connection, begin);
        self.state.run::<DB, _>(begins).await?;
        self.state.transaction = Transaction::Open;
        Ok(())
    }

    /// Commits. Returns an error if that would not make permanent everything that was done in the transaction.
    pub(in crate::db) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        if !self.connection.is_in_transaction() {
            return Err(rolled_back("none is open"));
        }
        // A statement on the driver's own connection may have ended it too.
        if self.state.raw && matches!(self.state.transaction, Transaction::Open) {
            self.state.transaction = Transaction::Doubtful;
        }
        self.settle().await?;
        if let Transaction::Doubtful = self.state.transaction {
            self.check_transaction().await?;
        }
        let commits = DB::TransactionManager::commit(&mut self.connection);
        self.state.run::<DB, _>(commits).await?;
        self.state.committed();
        Ok(())
    }

    pub(in crate::db) async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        if let Err(error) = self.finish().await
            && self.state.lost
        {
            return Err(error);
        }
        let over = matches!(self.state.transaction, Transaction::Ended(_) | Transaction::Doubtful);
        let rolls_back = DB::TransactionManager::rollback(&mut self.connection);
        let outcome = self.state.run::<DB, _>(rolls_back).await;
        match outcome {
            // There may be nothing left to roll back, which is an error on SQLite.
            Err(sqlx::Error::Database(_)) if over => {}
            outcome => {
                outcome?;
                self.state.transaction = Transaction::None;
            }
        }
        Ok(())
    }

    /// Sets a savepoint in the transaction that is open.
    pub(in crate::db) async fn savepoint(&mut self) -> Result<(), sqlx::Error> {
        self.settle().await?;
        // If the caller gives up here, the driver undoes more than a savepoint, and counts one too few.
        let before = std::mem::take(&mut self.state.transaction);
        self.fail_transaction("a savepoint was given up while it was being set");
        let sets = DB::TransactionManager::begin(&mut self.connection, None);
        let set = self.state.run::<DB, _>(sets).await;
        self.state.transaction = if set.is_ok() { before } else { Transaction::Doubtful };
        set
    }

    /// Keeps what was done since the last savepoint.
    pub(in crate::db) async fn release_savepoint(&mut self) -> Result<(), sqlx::Error> {
        self.settle().await?;
        let releases = DB::TransactionManager::commit(&mut self.connection);
        self.state.run::<DB, _>(releases).await
    }

    /// Undoes what was done since the last savepoint.
    pub(in crate::db) async fn rollback_savepoint(&mut self) -> Result<(), sqlx::Error> {
        self.finish().await?;
        let rolls_back = DB::TransactionManager::rollback(&mut self.connection);
        self.state.run::<DB, _>(rolls_back).await
    }

    /// Makes COMMIT an error.
    pub(in crate::db) fn fail_transaction(&mut self, reason: &str) {
        self.state.transaction = Transaction::Ended(reason.to_owned());
    }

    /// Settles earlier statements before the next one is sent.
    ///
    /// The error of a statement that was not read to its end must not be reported for the next one; after the server
    /// has ended a transaction, later statements must not take effect outside of it; statements are prepared again if
    /// the schema has changed.
    #[cold]
    pub(super) async fn settle(&mut self) -> Result<(), sqlx::Error> {
        self.finish().await?;
        if !DB::REFUSES_AFTER_ERROR && matches!(self.state.transaction, Transaction::Doubtful) {
            self.check_transaction().await?;
        }
        if let Transaction::Ended(reason) = &self.state.transaction {
            return Err(rolled_back(reason));
        }
        if self.state.knows_schema() { Ok(()) } else { self.forget_statements().await }
    }

    /// Reads the rest of a statement that was given up. Returns an error if the connection is broken: the driver may
    /// wait for ever on it.
    async fn finish(&mut self) -> Result<(), sqlx::Error> {
        if self.state.lost {
            return Err(lost("it broke before this was sent"));
        }
        if !self.state.busy {
            return Ok(());
        }
        if DB::KIND == Kind::MySql && !self.state.answered {
            // The next message may be the reply to preparing it, which the driver would take for another reply.
            self.state.lost = true;
            return Err(lost("a statement was given up before it had an answer"));
        }
        if self.state.bounds {
            // Its caller does not know whether what follows is in a transaction.
            self.state.lost = true;
            return Err(lost("a statement that begins or ends a transaction was given up"));
        }
        let reads = self.connection.flush();
        let Err(error) = self.state.run::<DB, _>(reads).await else {
            return Ok(());
        };
        if DB::KIND == Kind::MySql {
            self.state.lost = true;
            return Err(lost(&format!("a statement that was not read to its end failed: {error}")));
        }
        match error {
            // The statement is over, and its caller has given up. Inside a transaction its error concerns later
            // statements, too.
            sqlx::Error::Database(_) if !self.state.lost && !self.state.is_in_transaction() => {
                Ok(())
            }
            error => Err(error),
        }
    }

    /// Asks the server whether the transaction is still open; an error if it is not.
    async fn check_transaction(&mut self) -> Result<(), sqlx::Error> {
        if self.is_open().await? {
            self.state.transaction = Transaction::Open;
            return Ok(());
        }
        let reason = "the server has rolled it back after an error, or a statement of its own has committed it, \
                      as DDL of MySQL does";
        self.state.transaction = Transaction::Ended(reason.into());
        Err(rolled_back(reason))
    }

    /// Whether a statement may only be sent if the plain-text transaction around it is still open: COMMIT, to which
    /// the server would answer Ok; if the server goes on without a failed transaction, any statement that neither
    /// begins nor rolls back.
    pub(super) fn requires_transaction(&self, effect: SessionEffect) -> bool {
        if DB::REFUSES_AFTER_ERROR {
            effect.commits && self.state.may_have_failed()
        } else {
            self.state.failed && (effect.commits || effect.open.is_none())
        }
    }

    /// Asks the server whether the transaction in plain text is still open; an error if it is not.
    pub(super) async fn check_plain_transaction(&mut self) -> Result<(), sqlx::Error> {
        if !self.is_open().await? {
            return Err(rolled_back("the server has rolled it back after an error"));
        }
        self.state.failed = false;
        Ok(())
    }

    async fn is_open(&mut self) -> Result<bool, sqlx::Error> {
        let asks = DB::is_in_transaction(&mut self.connection);
        // An error is the answer here: it must not count as an error of the transaction.
        let before = std::mem::take(&mut self.state.transaction);
        let open = self.state.run::<DB, _>(asks).await;
        self.state.transaction = before;
        open
    }

    /// Forgets the statements and types that the driver remembers of this connection.
    async fn forget_statements(&mut self) -> Result<(), sqlx::Error> {
        let known = self.state.schemas.load(Ordering::Acquire);
        let forgets = DB::forget_statements(&mut self.connection);
        self.state.run::<DB, _>(forgets).await?;
        self.state.schema = known;
        Ok(())
    }
}

fn rolled_back(reason: &str) -> sqlx::Error {
    Error::RolledBack { reason: reason.to_owned() }.into_sqlx()
}

fn lost(reason: &str) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::ConnectionAborted, reason.to_owned()))
}
