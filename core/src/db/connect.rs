//! Opening connections: the traits that a pool needs, and their implementation for sqlx.

mod addresses;
mod connection;
mod connector;
mod failure;
mod fault;
mod release;
mod retry;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use tokio::time::Instant;

use super::session::PendingReply;
pub(super) use super::session::{Loan, Taint};

pub(super) use connector::Connector;
pub(super) use failure::ConnectFailure;
pub(super) use retry::{Backoff, LONGEST_PAUSE, connect_until};

/// Opens and releases the connections of one pool.
pub(super) trait Connect: Send + Sync + 'static {
    type Connection: Connection;

    /// Makes one attempt, which ends at `until` or after the connect timeout, whichever is earlier.
    fn connect(
        &self,
        until: Option<Instant>,
    ) -> impl Future<Output = Result<Self::Connection, ConnectFailure>> + Send;

    /// Closes the socket, and returns how long the server still counts the connection.
    fn release(&self, connection: Self::Connection) -> Release<Self::Connection>;
}

/// The operations that a pool needs on its connections.
pub(super) trait Connection: Send + 'static {
    /// The pending reply, which shows whether a borrowed connection waits for the server.
    fn pending_reply(&self) -> Arc<PendingReply>;

    /// How long it took to open.
    fn connect_time(&self) -> Duration;

    /// Pings the server. Returns whether it has answered.
    fn ping(&mut self) -> impl Future<Output = bool> + Send;

    /// Returns the reason if it must not be lent again.
    fn taint(&self) -> Option<Taint>;

    /// Resets what concerns one borrower alone, and returns what the pool has to know of it.
    fn end_of_loan(&mut self) -> Loan;

    /// Whether the server took writes when this connection was opened.
    fn takes_writes(&self) -> bool;

    /// Asks the server whether it takes writes now.
    fn takes_writes_now(&mut self) -> impl Future<Output = bool> + Send;

    /// Whether the server had few connections left when this one was opened.
    fn is_crowded(&self) -> bool;

    /// Closes it with the protocol's goodbye.
    fn goodbye(self) -> impl Future<Output = ()> + Send;
}

/// When the server no longer counts a connection whose socket is closed.
pub(super) enum Release<T> {
    /// After this time; zero: at once.
    After(Duration),
    /// When this future has ended the work that the connection left behind; it may return another connection in its
    /// place.
    Work(BoxFuture<'static, Option<T>>),
}
