//! Where idle connections lie: those that a worker opened on itself with that worker, the others with all.
//!
//! A connection's answers wake the runtime it was opened on. Used on the thread of that runtime it costs no
//! second thread; used elsewhere it works as well, for more. So a worker opens its share of the connections
//! on itself, and what comes back goes to its own worker first. Two rules keep that fair and safe: every
//! sixteenth goes to whoever waits longest, wherever that is, and nobody depends on a worker that is busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

use deadpool::unmanaged;
use tokio::runtime::Handle;

use super::driver::Driver;
use super::lent::Lent;
use super::pool::Pool;
use super::slot::Slot;
use super::stats::Reason;
use crate::Worker;

/// How many connections in a row may go to somebody on their own worker while others wait elsewhere.
const FAVOURS: usize = 15;

/// The idle connections that one worker opened on itself.
pub(super) struct Shelf<DB: Driver> {
    worker: Worker,
    idle: unmanaged::Pool<Box<Slot<DB>>>,
    /// Callers on this worker that wait.
    waiting: AtomicUsize,
    /// Connections that were opened on this worker, idle or not, and those that are being opened.
    open: Arc<AtomicUsize>,
    favours: AtomicUsize,
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
        Self {
            worker,
            idle: unmanaged::Pool::new(size),
            waiting: AtomicUsize::new(0),
            open: Arc::default(),
            favours: AtomicUsize::new(0),
        }
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

    /// The next connection that comes back or is opened, in order.
    pub(super) async fn next_idle(self: &Arc<Self>) -> Option<Lent<DB>> {
        // deadpool's own close is never called, so getting cannot fail.
        let object = match self.here() {
            None => self.common.get().await,
            Some(here) => tokio::select! {
                biased;
                own = self.shelves[here].idle.get() => own,
                any = self.common.get() => any,
            },
        };
        object.ok().map(|object| self.lent(object))
    }

    /// How many connections lie ready.
    pub(super) fn count_idle(&self) -> usize {
        self.all().map(|shelf| shelf.status().available).sum()
    }

    /// Counts a caller that waits here. The shelf it has to be told to
    /// [`leaves`](Self::leaves) by.
    pub(super) fn waits(&self) -> Option<usize> {
        let here = self.here();
        if let Some(here) = here {
            self.shelves[here].waiting.fetch_add(1, Ordering::SeqCst);
        }
        here
    }

    /// The opposite of [`waits`](Self::waits).
    pub(super) fn leaves(&self, shelf: Option<usize>) {
        if let Some(number) = shelf {
            self.shelves[number].waiting.fetch_sub(1, Ordering::SeqCst);
            self.level(number);
        }
    }

    /// How many connections lie ready, without those that nobody can count on now.
    pub(super) fn count_ready(&self) -> usize {
        let shelves = self.shelves.iter().filter(|shelf| shelf.worker.is_responsive());
        let shelves = shelves.map(|shelf| shelf.idle.status().available);
        self.common.status().available + shelves.sum::<usize>()
    }

    /// Closes idle connections of workers that are stuck or gone: somebody waits for their places.
    pub(super) fn take_from_stuck(self: &Arc<Self>) {
        let lies = |shelf: &&Shelf<DB>| shelf.idle.status().available > 0;
        for shelf in self.shelves.iter().filter(lies).filter(|shelf| shelf.worker.is_stuck()) {
            if let Ok(object) = shelf.idle.try_get() {
                self.give_up(self.lent(object), Reason::Stranded);
            }
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

    /// Lays a connection where whoever may have it looks for it.
    pub(super) fn lay(&self, mut slot: Box<Slot<DB>>) {
        let shelf = self.shelf_for(&slot);
        slot.shelf = shelf;
        // There are as many places as permits, and the slot holds one of them.
        let _ = self.shelf(shelf).try_add(slot);
        self.laid(shelf);
    }

    pub(super) fn lay_back(&self, object: unmanaged::Object<Box<Slot<DB>>>) {
        let shelf = self.shelf_for(&object);
        if shelf == object.shelf {
            // Dropping it is what returns it, to whoever waits longest.
            drop(object);
            self.laid(shelf);
        } else {
            self.lay(unmanaged::Object::take(object));
        }
    }

    fn laid(&self, shelf: Option<usize>) {
        if let Some(number) = shelf {
            self.level(number);
        }
        self.clear_if_closed();
    }

    fn shelf(&self, number: Option<usize>) -> &unmanaged::Pool<Box<Slot<DB>>> {
        number.map_or(&self.common, |number| &self.shelves[number].idle)
    }

    fn shelf_for(&self, slot: &Slot<DB>) -> Option<usize> {
        let number = slot.place.worker?;
        let shelf = &self.shelves[number];
        let (here, all) =
            (shelf.waiting.load(Ordering::SeqCst), self.waiting.load(Ordering::SeqCst));
        let stays = match (here > 0, all > here) {
            (_, false) => true,
            (false, true) => false,
            (true, true) => shelf.favours.fetch_add(1, Ordering::Relaxed) < FAVOURS,
        };
        if !stays {
            shelf.favours.store(0, Ordering::Relaxed);
        }
        // What is laid down for a worker that is busy lies there until it is not.
        let reaches = self.here() == Some(number) || shelf.worker.is_responsive();
        (stays && reaches).then_some(number)
    }

    /// Hands what lies with a worker and is not waited for there to those who wait elsewhere.
    ///
    /// Called after something was laid there and after somebody stopped waiting there; whoever begins to wait
    /// is counted first and then looks everywhere. So of two that meet one sees the other.
    fn level(&self, number: usize) {
        let shelf = &self.shelves[number];
        fence(Ordering::SeqCst);
        loop {
            let here = shelf.waiting.load(Ordering::SeqCst);
            let elsewhere = self.waiting.load(Ordering::SeqCst) > here;
            if !elsewhere || shelf.idle.status().available <= here {
                return;
            }
            let Ok(mut slot) = shelf.idle.try_remove() else { return };
            slot.shelf = None;
            let _ = self.common.try_add(slot);
        }
    }

    fn all(&self) -> impl Iterator<Item = &unmanaged::Pool<Box<Slot<DB>>>> {
        std::iter::once(&self.common).chain(self.shelves.iter().map(|shelf| &shelf.idle))
    }

    fn here(&self) -> Option<usize> {
        if self.shelves.is_empty() {
            return None;
        }
        Worker::here(|number| self.shelves.get(number).map(|shelf| &shelf.worker))
    }

    fn lent(self: &Arc<Self>, object: unmanaged::Object<Box<Slot<DB>>>) -> Lent<DB> {
        Lent::new(object, Arc::clone(self))
    }
}
