//! The connections of one process: who gets which, and when one is opened or given up.
//!
//! Long because lending, waiting and giving up change the same counts: whether they stay true is seen by
//! reading them together.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::unmanaged;
use tokio::sync::{Notify, Semaphore};

use super::clock::Moment;
use super::connect::{Connector, Outage};
use super::driver::Driver;
use super::error::{Error, PoolState};
use super::plan::Plan;
use super::slot::{Card, Holder, Slot};
use crate::deadline;
use crate::{Epoch, Paradigm};

/// A connection that is lent.
pub(super) type Lent<DB> = unmanaged::Object<Slot<DB>>;

/// How many callers may wait per connection: a queue longer than this takes longer than anyone waits.
const QUEUE_PER_CONNECTION: usize = 256;

/// The pool: deadpool keeps the idle connections and the queue of those who wait for one; what is opened,
/// kept and given up is decided here.
///
/// deadpool's *managed* pool would open a connection inside the call that needs it, so that a cancelled
/// caller throws the handshake away and a connection that comes back does not help one who has begun to
/// connect. Its *unmanaged* pool only lends: whatever is added first, a returned connection or a new one,
/// serves whoever waits longest.
pub(super) struct Pool<DB: Driver> {
    pub(super) idle: unmanaged::Pool<Slot<DB>>,
    pub(super) budget: Arc<Semaphore>,
    pub(super) plan: Plan,
    pub(super) epoch: Epoch,
    pub(super) connector: Connector<DB>,
    waiting: AtomicUsize,
    /// The tasks that wait.
    waiters: Mutex<Vec<tokio::task::Id>>,
    /// Connections of an older generation are not used again.
    pub(super) generation: AtomicU64,
    closed: AtomicBool,
    closing: Notify,
    cards: Mutex<Vec<Card>>,
    paradigm: Paradigm,
    /// One transaction at a time, where the database takes only one writer.
    pub(super) writer: Option<Arc<Semaphore>>,
}

impl<DB: Driver> Pool<DB> {
    pub(super) fn new(
        plan: Plan,
        epoch: Epoch,
        paradigm: Paradigm,
        connector: Connector<DB>,
        writer: Option<Arc<Semaphore>>,
    ) -> Self {
        Self {
            idle: unmanaged::Pool::new(plan.size()),
            budget: Arc::new(Semaphore::new(plan.size())),
            plan,
            epoch,
            connector,
            waiting: AtomicUsize::new(0),
            waiters: Mutex::default(),
            generation: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
            cards: Mutex::default(),
            paradigm,
            writer,
        }
    }

    /// Lends a connection that is alive.
    pub(super) async fn lend(
        self: &Arc<Self>,
        place: &'static Location<'static>,
    ) -> Result<Lent<DB>, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        while let Ok(lent) = self.idle.try_get() {
            if let Some(lent) = self.proven(lent, None).await {
                return Ok(self.sign_out(lent, place));
            }
        }
        let lent = self.wait(place).await?;
        Ok(self.sign_out(lent, place))
    }

    /// Takes a connection back, or closes it where it must not be used again.
    pub(super) fn take_back(self: &Arc<Self>, mut lent: Lent<DB>) {
        lent.card.give_back();
        if lent.session.condition.outdated {
            self.renew(lent.generation);
        }
        if !lent.session.is_clean() || self.is_closed() || std::thread::panicking() {
            let slot = unmanaged::Object::take(lent);
            return self.give_up(slot);
        }
        if std::mem::take(&mut lent.session.condition.proven) {
            lent.proof = Moment::now(&self.epoch);
        }
        // Dropping it is what returns it, to whoever waits longest.
    }

    /// Closes a connection for good, and sees to it that those who wait get another.
    fn give_up(self: &Arc<Self>, slot: Slot<DB>) {
        if slot.session.condition.is_busy() && !self.is_closed() {
            self.connector.cancel(self, slot);
        } else {
            drop(slot);
        }
        self.connect_for_waiting();
    }

    /// Declares every connection of a generation unfit: the idle ones are closed as they are met, those in
    /// use when they come back.
    pub(super) fn renew(&self, generation: u64) {
        let _ = self.generation.compare_exchange(
            generation,
            generation + 1,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
    }

    /// The connection if it is fit for use: of this generation, not too old, and proven alive just now or by
    /// a ping.
    async fn proven(
        self: &Arc<Self>,
        mut lent: Lent<DB>,
        until: Option<Instant>,
    ) -> Option<Lent<DB>> {
        let now = Moment::now(&self.epoch);
        if lent.generation != self.generation.load(Ordering::Acquire)
            || lent.born.elapsed() > lent.lifetime
        {
            drop(unmanaged::Object::take(lent));
            return None;
        }
        if now.same_epoch(&lent.proof) && now.since(&lent.proof) <= self.plan.proof() {
            return Some(lent);
        }
        let patience = match until.or_else(deadline::current) {
            Some(until) => until.saturating_duration_since(Instant::now()).min(self.plan.ping()),
            None => self.plan.ping(),
        };
        match tokio::time::timeout(patience, lent.session.ping()).await {
            Ok(Ok(())) => {
                lent.proof = Moment::now(&self.epoch);
                Some(lent)
            }
            _ => {
                // What took this one has most likely taken the others that are as old: they go without being
                // asked, each of which would cost its own timeout.
                self.renew(lent.generation);
                drop(unmanaged::Object::take(lent));
                None
            }
        }
    }

    /// Waits for a connection: one that comes back or a new one, whichever is first.
    async fn wait(self: &Arc<Self>, wanted: &'static Location<'static>) -> Result<Lent<DB>, Error> {
        let begun = Instant::now();
        let by_plan = begun + self.plan.acquire();
        let until = deadline::current().map_or(by_plan, |deadline| deadline.min(by_plan));
        if until <= begun {
            return Err(Error::Deadline { state: self.state() });
        }
        if let Some(error) = self.connector.outage(self.plan.acquire()) {
            self.connect_for_waiting();
            return Err(error);
        }
        let most = self.plan.size().saturating_mul(QUEUE_PER_CONNECTION);
        let place = Waiting::enter(self);
        if place.count > most {
            return Err(Error::QueueFull { state: self.state() });
        }
        let lent = match self.paradigm {
            Paradigm::LongRunning => self.wait_in_queue(until).await,
            Paradigm::Serverless => self.wait_alone(until).await,
        };
        lent.map_err(|outage| match outage {
            Some(outage) => outage.into_error(),
            None if self.is_closed() => Error::Closed,
            None if until < by_plan => Error::Deadline { state: self.state() },
            None => match self.connector.last_outage() {
                Some(outage) => outage.into_error(),
                None => self.nested(wanted).unwrap_or_else(|| Error::TimedOut {
                    waited: begun.elapsed(),
                    state: self.state(),
                }),
            },
        })
    }

    /// On a long-running host connections are opened by tasks of their own: a caller who gives up leaves a
    /// finished handshake to the next one.
    async fn wait_in_queue(self: &Arc<Self>, until: Instant) -> Result<Lent<DB>, Option<Outage>> {
        let mut closing = std::pin::pin!(self.closing.notified());
        closing.as_mut().enable();
        let mut hopeless = self.connector.hopeless();
        loop {
            self.connect_for_waiting();
            tokio::select! {
                biased;
                () = &mut closing => return Err(None),
                lent = self.idle.get() => {
                    // deadpool's own close is never called, so getting cannot fail.
                    let Ok(lent) = lent else { return Err(None) };
                    if let Some(lent) = self.proven(lent, Some(until)).await {
                        return Ok(lent);
                    }
                }
                outage = Connector::<DB>::given_up(&mut hopeless) => return Err(Some(outage)),
                () = tokio::time::sleep_until(until.into()) => return Err(None),
            }
        }
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
                lent = self.idle.get() => {
                    let Ok(lent) = lent else { return Err(None) };
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

    async fn open_until(self: &Arc<Self>, until: Instant) -> Result<Slot<DB>, Option<Outage>> {
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
        let stuck = |holder: &Holder| holder.task.is_some_and(|task| waiting.contains(&task));
        (holders.len() >= self.plan.size() && holders.iter().all(stuck)).then(|| Error::Nested {
            size: self.plan.size(),
            held: own.place.to_string(),
            wanted: wanted.to_string(),
        })
    }

    fn holders(&self) -> Vec<Holder> {
        let cards = self.cards.lock().unwrap_or_else(PoisonError::into_inner);
        cards.iter().filter_map(Card::holder).collect()
    }

    /// Starts as many connections as are waited for, as far as the budget goes.
    pub(super) fn connect_for_waiting(self: &Arc<Self>) {
        if self.paradigm == Paradigm::Serverless || self.is_closed() {
            return;
        }
        // Looked at before and after: a permit that comes free while this attempt counts as begun would be
        // seen by nobody else.
        while self.budget.available_permits() > 0
            && self.connector.may_start(self.waiting.load(Ordering::SeqCst))
        {
            match Arc::clone(&self.budget).try_acquire_owned() {
                Ok(permit) => self.connector.start(self, permit),
                Err(_) => self.connector.did_not_start(),
            }
        }
    }

    /// Puts a new connection among the idle ones.
    pub(super) fn add(&self, slot: Slot<DB>) {
        if self.is_closed() {
            return;
        }
        let mut cards = self.cards.lock().unwrap_or_else(PoisonError::into_inner);
        cards.retain(Card::is_current);
        cards.push(slot.card.clone());
        drop(cards);
        // There are as many places as permits, and the slot holds one of them.
        let _ = self.idle.try_add(slot);
    }

    fn sign_out(&self, lent: Lent<DB>, place: &'static Location<'static>) -> Lent<DB> {
        lent.card.lend(Holder { place, since: Instant::now(), task: tokio::task::try_id() });
        lent
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Closes the pool: waiters are refused at once, idle connections say goodbye, those in use are waited
    /// for until `within` is over.
    pub(super) async fn close(self: &Arc<Self>, within: Duration) {
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
        let everything = async {
            let mut farewells = Vec::new();
            while let Ok(slot) = self.idle.try_remove() {
                farewells.push(async move {
                    let Slot { session, _permit, .. } = slot;
                    let _ = sqlx::Connection::close(session.connection).await;
                });
            }
            futures_util::future::join_all(farewells).await;
            let size = u32::try_from(self.plan.size()).unwrap_or(u32::MAX);
            let _ = self.budget.acquire_many(size).await;
        };
        let _ = tokio::time::timeout(within, everything).await;
    }

    /// The state of the pool at this moment.
    pub(super) fn state(&self) -> PoolState {
        let status = self.idle.status();
        let holders = self.holders();
        let max = self.plan.size();
        PoolState {
            open: max - self.budget.available_permits().min(max),
            max,
            in_use: holders.len(),
            idle: status.available,
            waiting: self.waiting.load(Ordering::Acquire),
            longest_holder: holders
                .iter()
                .min_by_key(|holder| holder.since)
                .map(|holder| (holder.place.to_string(), holder.since.elapsed())),
            last_connect_error: self.connector.last_outage().map(|outage| outage.to_string()),
        }
    }
}

/// A place in the queue, left when dropped.
struct Waiting<'a, DB: Driver> {
    pool: &'a Pool<DB>,
    count: usize,
    task: Option<tokio::task::Id>,
}

impl<'a, DB: Driver> Waiting<'a, DB> {
    fn enter(pool: &'a Pool<DB>) -> Self {
        let count = pool.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        let task = tokio::task::try_id();
        if let Some(task) = task {
            pool.waiters.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        }
        Self { pool, count, task }
    }
}

impl<DB: Driver> Drop for Waiting<'_, DB> {
    fn drop(&mut self) {
        self.pool.waiting.fetch_sub(1, Ordering::AcqRel);
        if let Some(task) = self.task {
            let mut waiters = self.pool.waiters.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = waiters.iter().position(|waiter| *waiter == task) {
                waiters.swap_remove(place);
            }
        }
    }
}
