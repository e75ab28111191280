//! A session as the connection of a pool.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;

use super::{Connection, Loan, Taint};
use crate::db::driver::Driver;
use crate::db::session::{PendingReply, Session};

impl<DB: Driver> Connection for Session<DB> {
    fn pending_reply(&self) -> Arc<PendingReply> {
        Arc::clone(&self.state.pending_reply)
    }

    fn connect_time(&self) -> Duration {
        self.connect_time
    }

    async fn ping(&mut self) -> bool {
        Self::ping(self).await.is_ok()
    }

    fn taint(&self) -> Option<Taint> {
        Self::taint(self)
    }

    fn end_of_loan(&mut self) -> Loan {
        self.state.end_of_loan()
    }

    fn takes_writes(&self) -> bool {
        !self.server.read_only
    }

    async fn takes_writes_now(&mut self) -> bool {
        self.server_info().await.is_ok_and(|info| !info.read_only)
    }

    fn is_crowded(&self) -> bool {
        self.server.is_crowded()
    }

    async fn goodbye(self) {
        let _ = self.connection.close().await;
    }
}
