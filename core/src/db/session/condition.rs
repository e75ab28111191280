//! What is known of one connection without asking it.

use crate::db::Error;
use crate::db::driver::{Driver, Verdict};
use crate::db::silence::Pulse;
use crate::db::statement::Effect;

/// What is known of a connection's state without asking it.
#[derive(Debug, Default)]
pub(in crate::db) struct Condition {
    /// Something was begun and has not ended.
    pub(super) busy: bool,
    /// An error after which the connection cannot be used.
    broken: bool,
    /// An error after which no connection of its generation can be used.
    pub(in crate::db) outdated: bool,
    /// A statement failed since the last BEGIN.
    pub(super) failed: bool,
    /// The driver's own connection was given out.
    pub(super) raw: bool,
    /// Something worked since the connection was lent: a proof of life.
    pub(in crate::db) proven: bool,
    /// A statement in plain text has opened a transaction.
    open: bool,
    /// A statement has changed the session for longer than it ran.
    altered: bool,
    /// What is waited for.
    pub(super) pulse: Pulse,
}

impl Condition {
    pub(super) fn new(pulse: Pulse) -> Self {
        Self { pulse, ..Self::default() }
    }

    pub(super) fn is_clean(&self) -> bool {
        let Self { busy, broken, outdated, failed: _, raw, proven: _, open, altered, pulse: _ } =
            self;
        !(*busy || *broken || *outdated || *raw || *open || *altered)
    }

    /// Whether the server may be at work for somebody who has gone.
    pub(in crate::db) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Notes that the connection does not answer.
    pub(in crate::db) fn lose(&mut self) {
        self.broken = true;
    }

    /// Whether something took the connection away, which may have taken others too.
    pub(in crate::db) fn is_lost(&self) -> bool {
        self.broken || self.outdated
    }

    /// Runs one piece of work on the connection, noticing whether it ends.
    pub(super) async fn watch<DB: Driver, T>(
        &mut self,
        effect: Effect,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        self.begins(effect);
        match self.pulse.answer(work).await {
            Ok(outcome) => {
                self.succeeded();
                Ok(outcome)
            }
            Err(error) => Err(self.failed::<DB>(error)),
        }
    }

    /// Notes that work begins, and what it will leave behind, as soon as the driver has it.
    pub(super) fn begins(&mut self, effect: Effect) {
        self.busy = true;
        self.pulse.begins();
        match effect {
            Effect::None => {}
            Effect::Begins => self.open = true,
            Effect::Ends => self.open = false,
            Effect::Alters => self.altered = true,
        }
    }

    pub(super) fn succeeded(&mut self) {
        self.pulse.ends();
        self.busy = false;
        self.proven = true;
    }

    /// Notes what an error means for the connection; the error as the caller sees it.
    #[cold]
    pub(super) fn failed<DB: Driver>(&mut self, error: sqlx::Error) -> sqlx::Error {
        self.pulse.ends();
        // Where more than a statement failed `busy` stays: what the server still does is unknown.
        match DB::verdict(&error) {
            Verdict::Fine => {
                self.busy = false;
                self.failed |= matches!(error, sqlx::Error::Database(_));
            }
            Verdict::Broken => self.broken = true,
            Verdict::Outdated => self.outdated = true,
            Verdict::Pooled => {
                self.broken = true;
                return Error::pooled(error).into_sqlx();
            }
        }
        error
    }
}
