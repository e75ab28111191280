//! A connection of sqlx's as a pool keeps it.

use sqlx::Connection as _;

use super::{Connection, Loan, Taint};
use crate::db::driver::{Admission, BackendId, Driver};
use crate::db::session::{PendingReply, Session};

/// An open connection and what it learnt of its server.
pub(in crate::db) struct Link<DB: Driver> {
    pub(in crate::db) session: Session<DB>,
    pub(in crate::db) server: Admission,
}

/// What others may see of a connection while it is lent: its id, and whether an answer is pending.
#[derive(Clone, Debug)]
pub(in crate::db) struct Pending {
    pub(in crate::db) backend: Option<BackendId>,
    pub(in crate::db) reply: PendingReply,
}

impl<DB: Driver> Connection for Link<DB> {
    type Monitor = Pending;

    fn monitor(&self) -> Pending {
        Pending { backend: self.server.backend, reply: self.session.pending_reply() }
    }

    async fn ping(&mut self) -> bool {
        self.session.ping().await.is_ok()
    }

    fn taint(&self) -> Option<Taint> {
        if self.session.is_clean() {
            return None;
        }
        let condition = &self.session.condition;
        Some(match condition.change() {
            _ if condition.outdated => Taint::Outdated,
            _ if condition.is_lost() => Taint::Lost,
            Some(change) => Taint::Changed(change),
            None => Taint::Dirty,
        })
    }

    fn end_of_loan(&mut self) -> Loan {
        let condition = &mut self.session.condition;
        let loan =
            Loan { answered: std::mem::take(&mut condition.proven), demoted: condition.demoted };
        condition.renew();
        loan
    }

    fn takes_writes(&self) -> bool {
        !self.server.read_only
    }

    async fn ask_for_writes(&mut self) -> bool {
        matches!(self.session.is_read_only().await, Ok(false))
    }

    fn is_crowded(&self) -> bool {
        self.server.is_crowded()
    }

    async fn goodbye(self) {
        let _ = self.session.connection.close().await;
    }
}
