//! Waiting for a connection: in order, with an end, and told why where there is none.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::connect::Outage;
use super::driver::Driver;
use super::error::{Error, PoolState};
use super::lent::Lent;
use super::pool::Pool;
use super::slot::{self, Holder, Slot};
use super::waiters::{Left, Turn};
use crate::{Paradigm, STUCK, deadline};

/// How many callers may wait per connection. Their time bounds the wait; this bounds the memory, and refuses at
/// once what no connection serves in a caller's time: a thousand queries of 2 ms take the 2 s that a caller has.
const QUEUE_PER_CONNECTION: usize = 1024;

impl<DB: Driver> Pool<DB> {
    /// Waits for a connection since `begun`: one that comes back or a new one, whichever is first; and when it was
    /// found to be fit for use.
    pub(super) async fn wait(
        self: &Arc<Self>,
        wanted: &slot::Place,
        begun: Instant,
    ) -> Result<(Lent<DB>, Instant), Error> {
        let time = Time::from(begun, self.plan.acquire());
        let until = time.until;
        if until <= begun {
            self.counts.timed_out();
            return Err(Error::Deadline { state: self.state() });
        }
        if let Some(outage) = self.connector.outage(self.plan.acquire())
            && !self.is_served_despite(&outage)
        {
            self.counts.refused();
            self.connect_for_waiting();
            return Err(outage.into_error());
        }
        let most = self.plan.size().saturating_mul(QUEUE_PER_CONNECTION);
        let place = Place::at_the_end(self);
        if place.count > most {
            self.counts.refused();
            return Err(Error::QueueFull { state: self.state() });
        }
        let lent = match self.paradigm {
            Paradigm::LongRunning => self.wait_in_line(&place, until).await,
            // Boxed: opening a connection is a large future, which no other caller should carry.
            Paradigm::Serverless => Box::pin(self.wait_alone(&place, until)).await,
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
        let _noted = Writing::note(self);
        tokio::select! {
            biased;
            turn = Arc::clone(writer).acquire_owned() => turn.map(Some).map_err(|_| Error::Closed),
            () = tokio::time::sleep_until(time.until.into()) => {
                self.counts.timed_out();
                Err(time.is_up(self.state()))
            }
        }
    }

    /// On a long-running host connections are opened by tasks of their own: a caller who gives up leaves a
    /// finished handshake to the next one.
    async fn wait_in_line(
        self: &Arc<Self>,
        place: &Place<'_, DB>,
        until: Instant,
    ) -> Result<(Lent<DB>, Instant), Option<Outage>> {
        loop {
            if self.is_closed() {
                return Err(None);
            }
            // What comes back from here on is given to those in line. What came back before is looked for.
            while let Some(lent) = self.idle() {
                if let Some(lent) = self.proven(lent, Some(until)).await {
                    return Ok(lent);
                }
            }
            self.connect_for_waiting();
            self.take_from_stuck();
            match place.event(self.next_look(until)).await {
                Event::Given(lent) => match self.proven(lent, Some(until)).await {
                    Some(lent) => return Ok(lent),
                    None => place.again(),
                },
                Event::Called => {
                    if let Some(hopeless) = self.connector.hopeless()
                        && !self.is_served_despite(&hopeless)
                    {
                        return Err(Some(hopeless));
                    }
                }
                Event::Late if Instant::now() >= until => return Err(None),
                // Who stood still looks around, and is one again to whom something can be given.
                Event::Late => self.works_here(),
            }
        }
    }

    /// When somebody who waits until then looks around at the latest. A worker that holds idle connections may
    /// get stuck meanwhile, or have been busy and be so no more: nobody tells.
    fn next_look(&self, until: Instant) -> Instant {
        if self.shelves.is_empty() { until } else { until.min(Instant::now() + STUCK) }
    }

    /// On a serverless host the caller opens its connection itself: when it has its answer, nothing is left
    /// under way that a freeze could tear.
    async fn wait_alone(
        self: &Arc<Self>,
        place: &Place<'_, DB>,
        until: Instant,
    ) -> Result<(Lent<DB>, Instant), Option<Outage>> {
        loop {
            if self.is_closed() {
                return Err(None);
            }
            tokio::select! {
                biased;
                event = place.event(until) => match event {
                    Event::Given(lent) => match self.proven(lent, Some(until)).await {
                        Some(lent) => return Ok(lent),
                        None => place.again(),
                    },
                    Event::Called => {}
                    Event::Late => return Err(None),
                },
                opened = self.open_until(until) => match opened {
                    Ok(slot) => self.add(slot),
                    Err(outage) => return Err(outage),
                },
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
    fn nested(&self, wanted: &slot::Place) -> Option<Error> {
        let holders = self.holders();
        let mut waiting: Vec<_> = self.waiters().tasks().collect();
        waiting.extend(self.writers().iter().filter_map(|(_, task)| *task));
        let own = holders.iter().find(|holder| holder.task == tokio::task::try_id())?;
        let stuck = |holder: &Holder| holder.task.is_some_and(|task| waiting.contains(&task));
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

/// What happens to somebody who waits.
enum Event<DB: Driver> {
    /// This connection was given to it.
    Given(Lent<DB>),
    /// It is to look around: something has changed for all who wait.
    Called,
    /// The time has come.
    Late,
}

/// A place among those who wait for a connection, left when dropped.
struct Place<'p, DB: Driver> {
    pool: &'p Arc<Pool<DB>>,
    number: usize,
    /// How many waited when it was taken, this one among them.
    count: usize,
}

impl<'p, DB: Driver> Place<'p, DB> {
    fn at_the_end(pool: &'p Arc<Pool<DB>>) -> Self {
        let mut waiters = pool.waiters();
        let number = waiters.join(pool.here(), tokio::task::try_id());
        Self { pool, number, count: waiters.count() }
    }

    /// What happens first to who waits here.
    ///
    /// Cancelled, it loses nothing: what was given lies at the place until it is looked for.
    async fn event(&self, late: Instant) -> Event<DB> {
        let mut time = pin!(tokio::time::sleep_until(late.into()));
        poll_fn(|context: &mut Context<'_>| {
            // A statement of its own: the lock is free before anything is dropped.
            let turn = self.pool.waiters().look(self.number, context.waker());
            match turn {
                Turn::Has(object) => Poll::Ready(Event::Given(self.pool.lent(object))),
                Turn::Called => Poll::Ready(Event::Called),
                Turn::Waits(_replaced) => time.as_mut().poll(context).map(|()| Event::Late),
            }
        })
        .await
    }

    /// Takes the old place in line: what was given is no good.
    fn again(&self) {
        self.pool.waiters().rejoin(self.number);
    }
}

impl<DB: Driver> Drop for Place<'_, DB> {
    fn drop(&mut self) {
        let left: Left<_> = self.pool.waiters().leave(self.number);
        if let Some(object) = left.has {
            self.pool.lay_back(object);
        }
    }
}

/// A caller who waits for the turn to write, which no connection serves; noted until dropped.
struct Writing<'p, DB: Driver> {
    pool: &'p Pool<DB>,
    number: usize,
}

impl<'p, DB: Driver> Writing<'p, DB> {
    fn note(pool: &'p Pool<DB>) -> Self {
        Self { pool, number: pool.writers().insert(tokio::task::try_id()) }
    }
}

impl<DB: Driver> Drop for Writing<'_, DB> {
    fn drop(&mut self) {
        self.pool.writers().remove(self.number);
    }
}
