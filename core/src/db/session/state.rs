//! The state of one connection, known without a round trip.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::db::Error;
use crate::db::driver::{BackendId, Driver, ErrorEffect};
use crate::db::sql::{Change, SessionEffect};

use super::pending_reply::PendingReply;

/// The number of a schema for which no statement is known to be right.
const UNKNOWN: u64 = u64::MAX;

/// The state of a connection, known without a round trip.
#[derive(Debug, Default)]
pub(in crate::db) struct SessionState {
    /// A statement was begun and has not ended: the server may still run it, although its caller has given up.
    pub(in crate::db) busy: bool,
    /// Some of its answer has been read.
    pub(super) answered: bool,
    /// The statement that was begun last begins or ends a transaction.
    pub(super) bounds: bool,
    /// An error after which the connection cannot be used.
    pub(super) lost: bool,
    /// An error after which no connection of its generation can be used.
    outdated: bool,
    /// The last statement was refused because it was prepared for another schema: it did nothing.
    pub(super) stale: bool,
    /// A write was refused that the session itself had not ruled out: the server takes none.
    demoted: bool,
    /// The session asked for transactions that may not write.
    read_only: bool,
    /// The driver's own connection was given out.
    pub(super) raw: bool,
    /// Work on the connection has succeeded since it was lent: the server is alive.
    worked: bool,
    /// A statement in plain text has opened a transaction.
    open: bool,
    /// An error since then may have ended it.
    pub(super) failed: bool,
    /// A statement that began or ended a transaction has failed.
    unclear: bool,
    /// How a statement has changed the session for longer than it ran.
    changed: Option<Change>,
    /// The transaction that was begun through [`Session::begin`](super::Session::begin).
    pub(super) transaction: Transaction,
    /// How often a connection of the pool has met a statement that was prepared for another schema.
    pub(super) schemas: Arc<AtomicU64>,
    /// That number when the statements of this connection were last known to be right.
    pub(super) schema: u64,
    /// Tables were changed since the transaction began.
    altered: bool,
    /// The prefix of the names of its database's settings.
    pub(super) prefix: Arc<str>,
    /// The pending reply.
    pub(in crate::db) pending_reply: Arc<PendingReply>,
}

/// What the pool has to know of one loan of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::db) struct Loan {
    /// The server has answered.
    pub(in crate::db) answered: bool,
    /// The server has refused a write that the borrower had not ruled out: it may be the primary no longer.
    pub(in crate::db) demoted: bool,
}

/// Why a connection must not be lent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::db) enum Taint {
    /// Something begun on it was not finished.
    Dirty,
    /// A statement of this kind had changed its session, or may have.
    Changed(Change),
    /// It broke.
    Lost,
    /// It broke, or became useless, and with it every connection that is as old.
    Outdated,
}

/// A transaction that must not report a COMMIT that has not happened.
#[derive(Debug, Default)]
pub(super) enum Transaction {
    /// None, or one in plain text.
    #[default]
    None,
    Open,
    /// Something happened that may have ended it: the server is asked before COMMIT, and before the next statement
    /// if that would run outside of a transaction.
    Doubtful,
    /// It is over, and why.
    Ended(String),
}

impl SessionState {
    pub(in crate::db) fn new(
        schemas: Arc<AtomicU64>,
        prefix: Arc<str>,
        backend: Option<BackendId>,
    ) -> Self {
        let schema = schemas.load(Ordering::Acquire);
        let pending_reply = Arc::new(PendingReply::new(backend));
        Self { schemas, schema, prefix, pending_reply, ..Self::default() }
    }

    /// Returns the reason if the connection must not be lent again.
    pub(super) fn taint(&self) -> Option<Taint> {
        let Self { busy, open, unclear, changed, raw, .. } = self;
        match changed.or(raw.then_some(Change::Raw)) {
            _ if self.outdated => Some(Taint::Outdated),
            _ if self.lost => Some(Taint::Lost),
            _ if *busy || *open || *unclear => Some(Taint::Dirty),
            Some(change) => Some(Taint::Changed(change)),
            None => self.is_in_transaction().then_some(Taint::Dirty),
        }
    }

    /// Whether a transaction is open that would be lost.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.open || !matches!(self.transaction, Transaction::None)
    }

    /// Whether the transaction that is open, in plain text or not, may have failed.
    pub(super) fn may_have_failed(&self) -> bool {
        self.failed || self.raw || matches!(self.transaction, Transaction::Doubtful)
    }

    /// Whether the next statement can be sent without settling earlier ones.
    pub(super) fn is_settled(&self) -> bool {
        !self.busy
            && matches!(self.transaction, Transaction::None | Transaction::Open)
            && self.knows_schema()
    }

    /// Whether no connection of the pool has found the schema changed since this one last prepared anew.
    pub(super) fn knows_schema(&self) -> bool {
        self.schema == self.schemas.load(Ordering::Relaxed)
    }

    /// Resets what concerns one borrower alone, and returns what the pool has to know of it.
    pub(in crate::db) fn end_of_loan(&mut self) -> Loan {
        self.read_only = false;
        let (answered, demoted) = (&mut self.worked, &mut self.demoted);
        Loan { answered: std::mem::take(answered), demoted: std::mem::take(demoted) }
    }

    /// Runs work that leaves the session as it was, noticing whether it ends.
    pub(super) async fn run<DB: Driver, T>(
        &mut self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        self.watch::<DB, T>(SessionEffect::NONE, work).await
    }

    /// Runs work with this effect on the session, noticing whether it ends.
    pub(super) async fn watch<DB: Driver, T>(
        &mut self,
        effect: SessionEffect,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        self.begins(effect);
        match self.pending_reply.answer(work).await {
            Ok(outcome) => {
                self.succeeded(effect);
                Ok(outcome)
            }
            Err(error) => Err(self.failed::<DB>(error, effect)),
        }
    }

    /// Records that work begins, and its effect: the driver may send it from now on.
    pub(super) fn begins(&mut self, effect: SessionEffect) {
        self.busy = true;
        self.answered = false;
        self.bounds = false;
        self.stale = false;
        self.pending_reply.end_wait();
        if !effect.is_none() {
            self.record(effect);
        }
    }

    #[cold]
    fn record(&mut self, effect: SessionEffect) {
        self.bounds = effect.bounds_transaction();
        let none = !self.is_in_transaction();
        if effect.ends && !matches!(self.transaction, Transaction::None) {
            let reason = "a statement of its own ended it";
            self.transaction = Transaction::Ended(reason.into());
        } else if effect.may_end && matches!(self.transaction, Transaction::Open) {
            self.transaction = Transaction::Doubtful;
        }
        self.open = match effect.open {
            Some(open) => {
                self.failed = false;
                open
            }
            None => self.open || effect.opens_if_none && none,
        };
        self.read_only |= effect.read_only;
        self.changed = self.changed.or(effect.change);
        // The statements that the driver remembers may be gone.
        if let Some(Change::Prepare | Change::Discard) = effect.change {
            self.schema = UNKNOWN;
        }
    }

    pub(super) fn succeeded(&mut self, effect: SessionEffect) {
        self.pending_reply.end_wait();
        self.busy = false;
        self.worked = true;
        if effect.alters {
            self.altered = self.is_in_transaction();
            self.schemas.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Records that a transaction has committed: other sessions see its changes.
    pub(super) fn committed(&mut self) {
        self.transaction = Transaction::None;
        if std::mem::take(&mut self.altered) {
            self.schemas.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Records what an error means for the connection. Returns the error for the caller.
    #[cold]
    pub(super) fn failed<DB: Driver>(
        &mut self,
        error: sqlx::Error,
        effect: SessionEffect,
    ) -> sqlx::Error {
        self.pending_reply.end_wait();
        // The error does not say which statement of the text it is from.
        self.unclear |= effect.bounds_transaction();
        if let sqlx::Error::Database(_) = error {
            self.doubt_transaction::<DB>(&error);
        }
        // If more than the statement failed, `busy` stays: the server may still be at work.
        match DB::error_effect(&error) {
            ErrorEffect::Fine => self.busy = false,
            ErrorEffect::Stale => {
                self.busy = false;
                self.stale = true;
                // Connections that meet the same change at the same time count it once.
                let (known, next) = (self.schema, self.schema.wrapping_add(1));
                let _ =
                    self.schemas.compare_exchange(known, next, Ordering::AcqRel, Ordering::Relaxed);
            }
            ErrorEffect::ReadOnly => {
                self.busy = false;
                self.demoted |= !self.read_only && !self.raw;
            }
            ErrorEffect::Broken => self.lost = true,
            ErrorEffect::Outdated => {
                self.lost = true;
                self.outdated = true;
            }
            // A statement of the session itself may have prepared or removed the one that was met.
            ErrorEffect::Pooled if self.changed.is_some() || self.raw => self.busy = false,
            ErrorEffect::Pooled => {
                self.lost = true;
                return Error::pooled(error, &self.prefix).into_sqlx();
            }
        }
        error
    }

    /// Records what a statement's error means for the transaction around it.
    fn doubt_transaction<DB: Driver>(&mut self, error: &sqlx::Error) {
        if !DB::may_end_transaction(error) {
            return;
        }
        self.failed |= self.open;
        if matches!(self.transaction, Transaction::Open) {
            self.transaction = Transaction::Doubtful;
        }
    }
}
