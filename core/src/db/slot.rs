//! One open connection with its permit and its age: what the pool stores.

use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::clock::Moment;
use super::driver::{Driver, Interrupt};
use super::session::Session;
use super::shelf::Place;
use super::silence::Pulse;

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
    /// Whether the server goes on with what it does for it when it is closed.
    pub(super) outlived: bool,
    /// Whether the server had few connections left when this one was opened.
    pub(super) crowded: bool,
    pub(super) card: Card,
    /// Where it was opened.
    pub(super) place: Place,
    /// The shelf it came from; `None`: the common one.
    pub(super) shelf: Option<usize>,
    // The last field: fields are dropped in order.
    pub(super) _permit: OwnedSemaphorePermit,
}

/// How long each connection of a pool may live: those that are opened together end evenly spread over the
/// last quarter of what the plan allows.
#[derive(Debug)]
pub(super) struct Lifetimes(AtomicU64);

impl Lifetimes {
    pub(super) fn next(&self, longest: Duration) -> Duration {
        // Steps of the golden ratio fall as far from each other as they can, however many there are.
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let turn = self.0.fetch_add(STEP, Ordering::Relaxed);
        longest.mul_f64(1.0 - 0.25 * (turn as f64 / u64::MAX as f64))
    }
}

impl Default for Lifetimes {
    /// Processes that were started together begin at different places.
    fn default() -> Self {
        Self(AtomicU64::new(fastrand::u64(..)))
    }
}

/// Who has a connection, since when, and what it waits for; shared with whoever reports on the pool.
#[derive(Clone, Debug)]
pub(super) struct Card {
    holder: Arc<Mutex<Option<Holder>>>,
    pub(super) pulse: Pulse,
    /// The server's id of the connection.
    pub(super) id: Option<i64>,
    pub(super) interrupt: Option<Interrupt>,
}

/// A borrower of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) place: &'static Location<'static>,
    pub(super) since: Instant,
    pub(super) task: Option<tokio::task::Id>,
    /// Whether the log has named it as one that may have leaked.
    pub(super) reported: bool,
}

impl Card {
    pub(super) fn new(id: Option<i64>, interrupt: Option<Interrupt>) -> Self {
        Self { holder: Arc::default(), pulse: Pulse::default(), id, interrupt }
    }

    pub(super) fn lend(&self, holder: Holder) {
        *self.lock() = Some(holder);
    }

    pub(super) fn give_back(&self) -> Option<Holder> {
        self.lock().take()
    }

    /// The holder, the first time that it is asked for after so long.
    pub(super) fn report(&self, after: Duration) -> Option<Holder> {
        let mut holder = self.lock();
        let holder = holder.as_mut().filter(|holder| holder.since.elapsed() > after)?;
        (!std::mem::replace(&mut holder.reported, true)).then_some(*holder)
    }

    pub(super) fn holder(&self) -> Option<Holder> {
        *self.lock()
    }

    /// Whether the connection of this card is still open.
    pub(super) fn is_current(&self) -> bool {
        Arc::strong_count(&self.holder) > 1
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Holder>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most of these moments that fall into one second.
    fn most_in_a_second(moments: &[Duration]) -> usize {
        let within = |from: Duration| {
            moments.iter().filter(|at| (from..from + Duration::from_secs(1)).contains(at)).count()
        };
        moments.iter().map(|moment| within(*moment)).max().unwrap_or(0)
    }

    #[test]
    fn a_hundred_connections_opened_in_a_second_end_at_most_ten_in_each() {
        let longest = Duration::from_secs(60);
        for _ in 0..100 {
            let lifetimes = Lifetimes::default();
            let born = |number| Duration::from_millis(10) * number;
            let ends: Vec<_> =
                (0..100).map(|number| born(number) + lifetimes.next(longest)).collect();
            assert!(ends.iter().all(|end| *end <= longest + Duration::from_secs(1)));
            assert!(most_in_a_second(&ends) <= 10, "{}", most_in_a_second(&ends));
            // Where all live equally long they end as they were opened.
            let herd: Vec<_> = (0..100).map(|number| born(number) + longest).collect();
            assert_eq!(most_in_a_second(&herd), 100);
        }
    }

    #[test]
    fn two_processes_that_start_together_choose_different_lifetimes() {
        let (one, other) = (Lifetimes::default(), Lifetimes::default());
        let longest = Duration::from_secs(60);
        assert_ne!(one.next(longest), other.next(longest));
    }
}
