//! Where idle connections lie: those that a worker opened on itself with that worker, the others with all.
//!
//! A connection's answers wake the runtime it was opened on. Used on the thread of that runtime it costs no
//! second thread; used elsewhere it works as well, for more. So a worker opens its share of the connections
//! on itself, and what comes back goes to its own worker first. Two rules keep that fair and safe: every
//! sixteenth goes to whoever waits longest, wherever that is, and nobody depends on a worker that is busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use deadpool::unmanaged;
use tokio::runtime::Handle;

use super::driver::Driver;
use super::lent::Lent;
use super::pool::Pool;
use super::slot::Slot;
use super::stats::Reason;
use crate::Worker;

/// A connection as deadpool lends it.
pub(super) type Object<DB> = unmanaged::Object<Box<Slot<DB>>>;

/// The idle connections that one worker opened on itself.
pub(super) struct Shelf<DB: Driver> {
    worker: Worker,
    idle: unmanaged::Pool<Box<Slot<DB>>>,
    /// Connections that were opened on this worker, idle or not, and those that are being opened.
    open: Arc<AtomicUsize>,
}

/// Where a connection is opened, and from then on driven: by a worker, or by the process.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) worker: Option<usize>,
    open: Option<Arc<AtomicUsize>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<DB: Driver> Shelf<DB> {
    pub(super) fn new(worker: Worker, size: usize) -> Self {
        Self { worker, idle: unmanaged::Pool::new(size), open: Arc::default() }
    }

    fn take_seat(&self, share: usize) -> bool {
        let seat = |open| (open < share).then_some(open + 1);
        self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, seat).is_ok()
    }
}

impl<DB: Driver> Pool<DB> {
    /// Notes that this worker has got round to something: a runtime that always has something to do waits for
    /// nothing, and makes progress all the same.
    pub(super) fn works_here(&self) {
        if let Some(here) = self.here() {
            self.shelves[here].worker.runs();
        }
    }

    /// An idle connection: of this worker, of the process, or of another worker that is not busy.
    pub(super) fn idle(self: &Arc<Self>) -> Option<Lent<DB>> {
        let here = self.here();
        let own = here.and_then(|here| self.shelves[here].idle.try_get().ok());
        own.or_else(|| self.common.try_get().ok())
            .or_else(|| {
                let others = self.shelves.iter().filter(|shelf| shelf.worker.is_responsive());
                others.filter_map(|shelf| shelf.idle.try_get().ok()).next()
            })
            .map(|object| self.lent(object))
    }

    /// An idle connection, wherever it lies.
    pub(super) fn any_idle(self: &Arc<Self>) -> Option<Lent<DB>> {
        let object = self.all().find_map(|shelf| shelf.try_get().ok());
        object.map(|object| self.lent(object))
    }

    /// An idle connection, wherever it lies, which does not come back.
    pub(super) fn remove_idle(&self) -> Option<Box<Slot<DB>>> {
        self.all().find_map(|shelf| shelf.try_remove().ok())
    }

    /// How many connections lie ready.
    pub(super) fn count_idle(&self) -> usize {
        self.all().map(|shelf| shelf.status().available).sum()
    }

    /// How many connections lie ready, without those that nobody can count on now.
    pub(super) fn count_ready(&self) -> usize {
        let shelves = self.shelves.iter().filter(|shelf| shelf.worker.is_responsive());
        let shelves = shelves.map(|shelf| shelf.idle.status().available);
        self.common.status().available + shelves.sum::<usize>()
    }

    /// Takes what workers have that are stuck or gone, since somebody waits for it: an idle connection that they
    /// drive is closed, what was given to people of theirs is given to others.
    pub(super) fn take_from_stuck(self: &Arc<Self>) {
        let here = self.here();
        for (number, shelf) in self.shelves.iter().enumerate() {
            if here == Some(number) || !shelf.worker.is_stuck() {
                continue;
            }
            if let Ok(object) = shelf.idle.try_get() {
                self.give_up(self.lent(object), Reason::Stranded);
            }
            // A statement of its own: the lock is free before they are given on.
            let given = self.waiters().take_back(number);
            given.into_iter().for_each(|object| self.lay_back(object));
        }
    }

    /// Whether those who wait on a worker can come and take what they are given: not where it stands still. When
    /// it goes on they look around by themselves.
    fn is_open(&self) -> impl Fn(usize) -> bool {
        let here = self.here();
        move |line| {
            let worker = self.shelves.get(line).map(|shelf| &shelf.worker);
            here == Some(line) || worker.is_none_or(|worker| !worker.is_stuck())
        }
    }

    /// Whether the worker that drives a connection has ended.
    pub(super) fn is_orphan(&self, slot: &Slot<DB>) -> bool {
        slot.place.worker.is_some_and(|number| self.shelves[number].worker.has_ended())
    }

    /// Whether the worker that drives a connection does not get round to it.
    pub(super) fn is_stalled(&self, slot: &Slot<DB>) -> bool {
        slot.place.worker.is_some_and(|number| !self.shelves[number].worker.is_responsive())
    }

    /// Where the next connection is opened: on the worker that wants it as long as that has less than its
    /// share, else on another that has less, else by the process.
    pub(super) fn place(&self) -> Place {
        // The rest belongs to the process: what a worker does not drive can wait for none.
        let share = self.plan.size().checked_div(self.shelves.len()).unwrap_or(0);
        let here = self.here().filter(|here| self.shelves[*here].take_seat(share));
        let other = |shelf: &Shelf<DB>| shelf.worker.is_responsive() && shelf.take_seat(share);
        match here.or_else(|| self.shelves.iter().position(other)) {
            Some(number) => {
                let open = Some(Arc::clone(&self.shelves[number].open));
                Place { worker: Some(number), open }
            }
            None => Place::default(),
        }
    }

    /// The runtime of a place.
    pub(super) fn runtime(&self, place: &Place) -> &Handle {
        let own = place.worker.and_then(|number| self.shelves[number].worker.runtime());
        own.unwrap_or_else(|| self.connector.home())
    }

    /// Gives a new connection to whoever's turn it is, or lays it where whoever comes looks for it.
    pub(super) fn lay(&self, mut slot: Box<Slot<DB>>) {
        let worker = self.belongs_to(&slot);
        slot.shelf = worker;
        let shelf = self.shelf(worker);
        // There are as many places as permits, and the slot holds one of them.
        let _ = shelf.try_add(slot);
        // deadpool alone makes what it lends, so it is taken out again to be given. Where somebody else was
        // quicker, it comes back from them.
        match shelf.try_get() {
            Ok(object) => self.lay_back(object),
            Err(_) => self.clear_if_closed(),
        }
    }

    /// Gives a connection that comes back to whoever's turn it is, or lays it where whoever comes looks for it.
    pub(super) fn lay_back(&self, object: Object<DB>) {
        let worker = self.belongs_to(&object);
        let mut waiters = self.waiters();
        match waiters.give(worker, object, self.is_open()) {
            Ok(waker) => {
                drop(waiters);
                waker.into_iter().for_each(Waker::wake);
            }
            // Laid down before anybody can join: who joins then looks for it.
            Err(object) => {
                if worker == object.shelf {
                    // Dropping it is what returns it.
                    drop(object);
                } else {
                    let mut slot = Object::take(object);
                    slot.shelf = worker;
                    let _ = self.shelf(worker).try_add(slot);
                }
                drop(waiters);
                self.clear_if_closed();
            }
        }
    }

    fn shelf(&self, number: Option<usize>) -> &unmanaged::Pool<Box<Slot<DB>>> {
        number.map_or(&self.common, |number| &self.shelves[number].idle)
    }

    /// The worker that a connection comes back to: the one that drives it, unless that is busy elsewhere.
    fn belongs_to(&self, slot: &Slot<DB>) -> Option<usize> {
        let number = slot.place.worker?;
        let reaches = self.here() == Some(number) || self.shelves[number].worker.is_responsive();
        reaches.then_some(number)
    }

    fn all(&self) -> impl Iterator<Item = &unmanaged::Pool<Box<Slot<DB>>>> {
        std::iter::once(&self.common).chain(self.shelves.iter().map(|shelf| &shelf.idle))
    }

    /// The worker that the current thread is.
    pub(super) fn here(&self) -> Option<usize> {
        if self.shelves.is_empty() {
            return None;
        }
        Worker::here(|number| self.shelves.get(number).map(|shelf| &shelf.worker))
    }

    pub(super) fn lent(self: &Arc<Self>, object: Object<DB>) -> Lent<DB> {
        Lent::new(object, Arc::clone(self))
    }
}
