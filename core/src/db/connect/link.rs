//! A connection of sqlx's as a pool keeps it.

use sqlx::Connection as _;

use super::{Connection, Taint};
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
        Some(match (condition.outdated, condition.is_lost()) {
            (true, _) => Taint::Outdated,
            (false, true) => Taint::Lost,
            (false, false) => Taint::Dirty,
        })
    }

    fn take_answered(&mut self) -> bool {
        std::mem::take(&mut self.session.condition.proven)
    }

    fn is_crowded(&self) -> bool {
        self.server.is_crowded()
    }

    async fn goodbye(self) {
        let _ = self.session.connection.close().await;
    }
}
