//! The pool's connection type: a session and what it knows of its server.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;

use super::{Connection, Loan, Taint};
use crate::db::driver::{Driver, ServerIdentity, ServerInfo};
use crate::db::session::{PendingReply, Session};

/// An open connection and what it knows of its server.
pub(in crate::db) struct Link<DB: Driver> {
    pub(in crate::db) session: Session<DB>,
    pub(in crate::db) server: ServerInfo,
    /// How long it took to open.
    pub(super) took: Duration,
}

impl<DB: Driver> Link<DB> {
    /// Whether it is known to lead to this server.
    pub(in crate::db) fn leads_to(&self, server: ServerIdentity) -> bool {
        self.server.backend.is_some_and(|backend| backend.server.is(server))
    }
}

impl<DB: Driver> Connection for Link<DB> {
    fn pending_reply(&self) -> Arc<PendingReply> {
        Arc::clone(&self.session.state.pulse)
    }

    fn took(&self) -> Duration {
        self.took
    }

    async fn ping(&mut self) -> bool {
        self.session.ping().await.is_ok()
    }

    fn taint(&self) -> Option<Taint> {
        if self.session.is_clean() {
            return None;
        }
        let state = &self.session.state;
        Some(match state.change() {
            _ if state.outdated => Taint::Outdated,
            _ if state.is_lost() => Taint::Lost,
            Some(change) => Taint::Changed(change),
            None => Taint::Dirty,
        })
    }

    fn end_of_loan(&mut self) -> Loan {
        let state = &mut self.session.state;
        let loan = Loan { answered: std::mem::take(&mut state.proven), demoted: state.demoted };
        state.renew();
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
