//! One open connection with its permit and its age: what the pool stores.

use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::clock::Moment;
use super::driver::Driver;
use super::session::Session;

/// One open connection. Dropping it closes the socket, then gives the permit back: permits count open
/// connections, whoever holds them.
pub(super) struct Slot<DB: Driver> {
    pub(super) session: Session<DB>,
    /// When somebody last used it with success.
    pub(super) proof: Moment,
    /// How many connections of the pool had broken by then.
    pub(super) alarm: u64,
    /// When it was last used so that nothing on the way forgets it.
    pub(super) kept: Moment,
    /// When it was opened.
    pub(super) born: Moment,
    /// How long it may live.
    pub(super) lifetime: Duration,
    /// The generation it was opened in.
    pub(super) generation: u64,
    /// The server's id of it.
    pub(super) id: Option<i64>,
    /// Whether the server had few connections left when this one was opened.
    pub(super) crowded: bool,
    pub(super) card: Card,
    // The last field: fields are dropped in order.
    pub(super) _permit: OwnedSemaphorePermit,
}

/// Who has a connection, and since when; shared with whoever reports on the pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Card(Arc<Mutex<Option<Holder>>>);

/// A borrower of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) place: &'static Location<'static>,
    pub(super) since: Instant,
    pub(super) task: Option<tokio::task::Id>,
}

impl Card {
    pub(super) fn lend(&self, holder: Holder) {
        *self.lock() = Some(holder);
    }

    pub(super) fn give_back(&self) -> Option<Holder> {
        self.lock().take()
    }

    pub(super) fn holder(&self) -> Option<Holder> {
        *self.lock()
    }

    /// Whether the connection of this card is still open.
    pub(super) fn is_current(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Holder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
