//! The idle connections and the callers that wait for one: first come, first served.
//!
//! deadpool keeps the connections; a waiting caller gets one directly, past deadpool.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use deadpool::unmanaged::{self, Object};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::clock::FreezeAwareInstant;
use super::counts::Reason;
use super::entry::Entry;
use super::{Pool, PooledConnection};
use crate::db::connect::{Connect, ConnectFailure};
use crate::db::error::Error;

type BoxedEntry<C> = Box<Entry<<C as Connect>::Connection>>;

/// A connection as deadpool lends it: dropped, it is idle.
pub(super) type Pooled<C> = Object<BoxedEntry<C>>;

/// Idle connections and waiting callers, under one lock: there are never both.
pub(super) struct WaitQueue<C: Connect>(Mutex<Inner<C>>);

struct Inner<C: Connect> {
    /// The connections. The last to come back is the first to be lent: the others may become old enough to be closed.
    connections: unmanaged::Pool<BoxedEntry<C>>,
    /// In the order in which they came, and so by their numbers.
    callers: VecDeque<Waiter<C>>,
    /// The number of the next caller.
    next: u64,
    /// The time for which the task that ends waits sleeps; `None`: there is no such task.
    timer: Option<Instant>,
    closed: bool,
}

struct Waiter<C: Connect> {
    number: u64,
    until: Instant,
    sender: oneshot::Sender<Handover<C>>,
}

/// The result of a wait.
pub(super) type Handover<C> = Result<(PooledConnection<C>, FreezeAwareInstant), WaitError>;

/// Why a wait has ended without a connection.
pub(super) enum WaitError {
    TimedOut {
        /// The callers that waited then, this one among them.
        waiting: usize,
    },
    /// The pool is closed, or connecting has failed for good.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for WaitError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The answer to a caller that joins the queue.
pub(super) enum Joined<'p, C: Connect> {
    /// A connection was idle.
    Idle(PooledConnection<C>),
    Waits(Wait<'p, C>),
    /// As many callers as may wait are waiting.
    Full,
}

/// A place in the queue. Dropping it leaves the queue; a connection that was handed over meanwhile goes to the next
/// caller.
pub(super) struct Wait<'p, C: Connect> {
    queue: &'p WaitQueue<C>,
    number: u64,
    receiver: oneshot::Receiver<Handover<C>>,
    ended: bool,
}

impl<C: Connect> WaitQueue<C> {
    pub(super) fn new(size: usize) -> Self {
        let (connections, callers) = (unmanaged::Pool::new(size), VecDeque::new());
        Self(Mutex::new(Inner { connections, callers, next: 0, timer: None, closed: false }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn idle(&self) -> usize {
        self.lock().connections.status().available
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().callers.len()
    }

    /// Takes the connection that came back last.
    pub(super) fn pop(&self) -> Option<Pooled<C>> {
        self.lock().connections.try_get().ok()
    }

    /// Adds a connection and lends it; `None` if the pool is full.
    pub(super) fn add(&self, entry: BoxedEntry<C>) -> Option<Pooled<C>> {
        let inner = self.lock();
        inner.connections.try_add(entry).ok()?;
        inner.connections.try_get().ok()
    }

    /// Refuses later callers and those that wait.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let callers = std::mem::take(&mut inner.callers);
        drop(inner);
        // Dropped without the lock: each wakes its caller.
        drop(callers);
    }

    /// Ends every wait because connecting has failed for good.
    pub(super) fn fail(&self, failure: &ConnectFailure) {
        let callers = std::mem::take(&mut self.lock().callers);
        for caller in callers {
            let _ = caller.sender.send(Err(failure.clone().into()));
        }
    }

    /// Ends the waits whose time is up. `at`: the time for which the task was set. Returns the time for which it is
    /// to be set next.
    fn expire(&self, at: Instant) -> Option<Instant> {
        let mut inner = self.lock();
        // A task that is set earlier serves the callers of this one too.
        if inner.timer != Some(at) {
            return None;
        }
        let now = Instant::now();
        let callers = std::mem::take(&mut inner.callers);
        let waiting = callers.len();
        let (expired, others): (VecDeque<_>, VecDeque<_>) =
            callers.into_iter().partition(|caller| caller.until <= now);
        let next = others.iter().map(|caller| caller.until).min();
        inner.callers = others;
        inner.timer = next;
        drop(inner);
        for caller in expired {
            let _ = caller.sender.send(Err(WaitError::TimedOut { waiting }));
        }
        next
    }
}

impl<C: Connect> Pool<C> {
    /// Gives a connection to the caller that has waited longest. If no caller waits, the connection is idle, or
    /// closed with the pool.
    pub(super) fn hand_over(self: &Arc<Self>, mut entry: Pooled<C>, now: FreezeAwareInstant) {
        loop {
            let mut inner = self.queue.lock();
            let Some(caller) = inner.callers.pop_front() else {
                if inner.closed {
                    drop(inner);
                    return self.discard(*Object::take(entry), Reason::Drained, false);
                }
                return drop(entry);
            };
            drop(inner);
            // Its caller may have given up a moment ago.
            match caller.sender.send(Ok((PooledConnection::new(entry, self), now))) {
                Err(Ok((guard, _))) => entry = guard.into_entry(),
                _ => return,
            }
        }
    }

    /// Takes an idle connection, or a place behind the callers that wait, of which there may be `most`.
    pub(super) fn join(self: &Arc<Self>, until: Instant, most: usize) -> Joined<'_, C> {
        let mut inner = self.queue.lock();
        if let Ok(entry) = inner.connections.try_get() {
            return Joined::Idle(PooledConnection::new(entry, self));
        }
        if inner.callers.len() >= most {
            return Joined::Full;
        }
        let (sender, receiver) = oneshot::channel();
        let number = inner.next;
        inner.next += 1;
        if !inner.closed {
            inner.callers.push_back(Waiter { number, until, sender });
            if inner.timer.is_none_or(|timer| until < timer) {
                inner.timer = Some(until);
                self.start_timer(until);
            }
        }
        Joined::Waits(Wait { queue: &self.queue, number, receiver, ended: false })
    }

    /// Ends waits whose time is up, from this time on and for as long as callers wait.
    ///
    /// One timer serves them all: to register and to remove one for each wait costs 700 instructions.
    fn start_timer(self: &Arc<Self>, mut timer: Instant) {
        let weak = Arc::downgrade(self);
        self.runtime.spawn(async move {
            loop {
                tokio::time::sleep_until(timer).await;
                let Some(pool) = weak.upgrade() else { return };
                let Some(next) = pool.queue.expire(timer) else { return };
                timer = next;
            }
        });
    }
}

impl<C: Connect> Future for Wait<'_, C> {
    type Output = Handover<C>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Handover<C>> {
        let handover = std::task::ready!(Pin::new(&mut self.receiver).poll(cx));
        self.ended = true;
        Poll::Ready(handover.unwrap_or_else(|_| Err(Error::Closed.into())))
    }
}

#[cfg(test)]
impl<C: Connect> Wait<'_, C> {
    /// Gives the place up, but stays in the queue, as if another thread had just taken a connection for this caller.
    pub(super) fn give_up_late(mut self) {
        self.ended = true;
    }
}

impl<C: Connect> Drop for Wait<'_, C> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let mut inner = self.queue.lock();
        let place = inner.callers.binary_search_by_key(&self.number, |caller| caller.number);
        let caller = place.ok().and_then(|place| inner.callers.remove(place));
        drop(inner);
        drop(caller);
    }
}
