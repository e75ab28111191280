//! Waiting for a connection: in order, with an end, and told why where there is none.

use std::panic::Location;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::connect::Outage;
use super::driver::Driver;
use super::error::{Error, PoolState};
use super::lent::Lent;
use super::pool::Pool;
use super::slot::{Holder, Slot};
use crate::{Paradigm, STUCK, deadline};

/// How many callers may wait per connection. Their time bounds the wait; this bounds the memory, and refuses at
/// once what no connection serves in a caller's time: a thousand queries of 2 ms take the 2 s that a caller has.
const QUEUE_PER_CONNECTION: usize = 1024;

impl<DB: Driver> Pool<DB> {
    /// Waits for a connection since `begun`: one that comes back or a new one, whichever is first.
    pub(super) async fn wait(
        self: &Arc<Self>,
        wanted: &'static Location<'static>,
        begun: Instant,
    ) -> Result<Lent<DB>, Error> {
        let time = Time::from(begun, self.plan.acquire());
        let until = time.until;
        if until <= begun {
            self.counts.timed_out();
            return Err(Error::Deadline { state: self.state() });
        }
        if let Some(error) = self.connector.outage(self.plan.acquire()) {
            self.counts.refused();
            self.connect_for_waiting();
            return Err(error);
        }
        let most = self.plan.size().saturating_mul(QUEUE_PER_CONNECTION);
        let place = Waiting::enter(self);
        if place.count > most {
            self.counts.refused();
            return Err(Error::QueueFull { state: self.state() });
        }
        let lent = match self.paradigm {
            Paradigm::LongRunning => self.wait_in_queue(until).await,
            // Boxed: opening a connection is a large future, which no other caller should carry.
            Paradigm::Serverless => Box::pin(self.wait_alone(until)).await,
        };
        if lent.is_err() && Instant::now() >= until {
            self.counts.timed_out();
        }
        lent.map_err(|outage| match outage {
            Some(outage) => outage.into_error(),
            None if self.is_closed() => Error::Closed,
            None => match self.connector.last_outage() {
                Some(outage) => outage.into_error(),
                None if time.is_the_requests() => Error::Deadline { state: self.state() },
                None => self.nested(wanted).unwrap_or_else(|| time.is_up(self.state())),
            },
        })
    }

    /// Waits for the turn to write, where the database takes one writer at a time: in order, and for no longer
    /// than for a connection.
    pub(super) async fn turn_to_write(
        self: &Arc<Self>,
    ) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let Some(writer) = &self.writer else { return Ok(None) };
        if let Ok(turn) = Arc::clone(writer).try_acquire_owned() {
            return Ok(Some(turn));
        }
        let time = Time::from(Instant::now(), self.plan.acquire());
        let mut news = pin!(self.news.notified());
        news.as_mut().enable();
        let _place = Waiting::to_write(self);
        let end = async {
            while !self.is_closed() {
                news.as_mut().await;
                news.set(self.news.notified());
                news.as_mut().enable();
            }
        };
        tokio::select! {
            biased;
            // The semaphore is never closed; one that were would mean no limit, which is safe too.
            turn = Arc::clone(writer).acquire_owned() => Ok(turn.ok()),
            () = end => Err(Error::Closed),
            () = tokio::time::sleep_until(time.until.into()) => {
                self.counts.timed_out();
                Err(time.is_up(self.state()))
            }
        }
    }

    /// On a long-running host connections are opened by tasks of their own: a caller who gives up leaves a
    /// finished handshake to the next one.
    async fn wait_in_queue(self: &Arc<Self>, until: Instant) -> Result<Lent<DB>, Option<Outage>> {
        loop {
            // Heard from here on: what was said before is seen below.
            let mut news = pin!(self.news.notified());
            news.as_mut().enable();
            if self.is_closed() {
                return Err(None);
            }
            // This caller is counted now, so what comes back from here on comes to its knowledge. What came
            // back before, on another worker, is looked for.
            while let Some(lent) = self.idle() {
                if let Some(lent) = self.proven(lent, Some(until)).await {
                    return Ok(lent);
                }
            }
            self.connect_for_waiting();
            self.take_from_stuck();
            tokio::select! {
                biased;
                lent = self.next_idle() => {
                    let Some(lent) = lent else { return Err(None) };
                    if let Some(lent) = self.proven(lent, Some(until)).await {
                        return Ok(lent);
                    }
                }
                () = news => {
                    if let Some(hopeless) = self.connector.hopeless() {
                        return Err(Some(hopeless));
                    }
                }
                () = self.watch_until(until) => return Err(None),
            }
        }
    }

    /// Ends when the time is up; the caller keeps its turn meanwhile. A worker that holds idle connections may
    /// get stuck before: that is looked after by the same timer.
    async fn watch_until(self: &Arc<Self>, until: Instant) {
        while !self.shelves.is_empty() {
            let next = Instant::now() + STUCK;
            if next >= until {
                break;
            }
            tokio::time::sleep_until(next.into()).await;
            self.take_from_stuck();
        }
        tokio::time::sleep_until(until.into()).await;
    }

    /// On a serverless host the caller opens its connection itself: when it has its answer, nothing is left
    /// under way that a freeze could tear.
    async fn wait_alone(self: &Arc<Self>, until: Instant) -> Result<Lent<DB>, Option<Outage>> {
        loop {
            if self.is_closed() {
                return Err(None);
            }
            tokio::select! {
                biased;
                lent = self.next_idle() => {
                    let Some(lent) = lent else { return Err(None) };
                    if let Some(lent) = self.proven(lent, Some(until)).await {
                        return Ok(lent);
                    }
                }
                opened = self.open_until(until) => match opened {
                    Ok(slot) => self.add(slot),
                    Err(outage) => return Err(outage),
                },
                () = tokio::time::sleep_until(until.into()) => return Err(None),
            }
        }
    }

    async fn open_until(self: &Arc<Self>, until: Instant) -> Result<Box<Slot<DB>>, Option<Outage>> {
        let Ok(permit) = Arc::clone(&self.budget).acquire_owned().await else { return Err(None) };
        self.connector.open_with_patience(self, permit, until).await.map_err(Some)
    }

    /// The error where every connection is held by a task that waits for another: nobody will give one back.
    ///
    /// Asked only when the time is up: a task that polls two futures side by side holds and waits too, and
    /// needs only time.
    fn nested(&self, wanted: &'static Location<'static>) -> Option<Error> {
        let holders = self.holders();
        let waiting = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let own = holders.iter().find(|holder| holder.task == tokio::task::try_id())?;
        let stuck = |holder: &Holder| {
            holder.task.is_some_and(|task| waiting.iter().any(|(_, waits)| *waits == task))
        };
        (holders.len() >= self.plan.size() && holders.iter().all(stuck)).then(|| Error::Nested {
            size: self.plan.size(),
            held: own.place.to_string(),
            wanted: wanted.to_string(),
        })
    }
}

/// The time of a caller: what the plan gives it, or less where its request has a deadline.
#[derive(Clone, Copy)]
struct Time {
    begun: Instant,
    by_plan: Instant,
    until: Instant,
}

impl Time {
    fn from(begun: Instant, acquire: Duration) -> Self {
        let by_plan = begun + acquire;
        let until = deadline::current().map_or(by_plan, |deadline| deadline.min(by_plan));
        Self { begun, by_plan, until }
    }

    fn is_the_requests(&self) -> bool {
        self.until < self.by_plan
    }

    /// What a caller is told whose time is up.
    fn is_up(&self, state: PoolState) -> Error {
        if self.is_the_requests() {
            Error::Deadline { state }
        } else {
            Error::TimedOut { waited: self.begun.elapsed(), state }
        }
    }
}

/// A place in a queue, left when dropped.
struct Waiting<'a, DB: Driver> {
    pool: &'a Pool<DB>,
    /// Those who wait for the same.
    queue: &'a AtomicUsize,
    count: usize,
    /// Where the waiting task is noted, if it is one.
    task: Option<usize>,
    shelf: Option<usize>,
}

impl<'a, DB: Driver> Waiting<'a, DB> {
    /// For a connection.
    fn enter(pool: &'a Pool<DB>) -> Self {
        // Counted before the budget is looked at: whoever frees a place later sees that it is waited for.
        let count = pool.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        let shelf = pool.waits();
        Self::of(pool, &pool.waiting, count, shelf)
    }

    /// For the turn to write, which no connection serves.
    fn to_write(pool: &'a Pool<DB>) -> Self {
        let count = pool.waiting_to_write.fetch_add(1, Ordering::SeqCst) + 1;
        Self::of(pool, &pool.waiting_to_write, count, None)
    }

    fn of(pool: &'a Pool<DB>, queue: &'a AtomicUsize, count: usize, shelf: Option<usize>) -> Self {
        let note = |task| pool.waiters.lock().unwrap_or_else(PoisonError::into_inner).insert(task);
        let task = tokio::task::try_id().map(note);
        Self { pool, queue, count, task, shelf }
    }
}

impl<DB: Driver> Drop for Waiting<'_, DB> {
    fn drop(&mut self) {
        self.queue.fetch_sub(1, Ordering::SeqCst);
        self.pool.leaves(self.shelf);
        if let Some(task) = self.task {
            self.pool.waiters.lock().unwrap_or_else(PoisonError::into_inner).remove(task);
        }
    }
}
