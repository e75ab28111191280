//! The connections of one process: who gets which, and when one is opened or given up.
//!
//! Long because lending, taking back and giving up change the same counts: whether they stay true is seen
//! by reading them together.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use deadpool::unmanaged;
use slab::Slab;
use tokio::sync::Semaphore;
use tokio::task;

use super::clock::Moment;
use super::connect::Connector;
use super::drained::Drained;
use super::driver::Driver;
use super::error::{Error, PoolState};
use super::lent::Lent;
use super::plan::Plan;
use super::settings::{Kind, Pooler};
use super::shelf::{Object, Shelf};
use super::slot::{Card, Holder, Slot};
use super::stats::{Counts, Reason, Stats};
use super::waiters::Waiters;
use super::writer::Search;
use crate::{Epoch, Paradigm, Worker, deadline};

/// The pool: deadpool keeps the idle connections and takes back what it lends; what is opened, kept and given
/// up, and whose turn it is, is decided here.
///
/// deadpool's *managed* pool would open a connection inside the call that needs it, so that a cancelled
/// caller throws the handshake away and a connection that comes back does not help one who has begun to
/// connect. Its *unmanaged* pool only lends: whatever is there first, a returned connection or a new one,
/// serves whoever waits longest.
pub(super) struct Pool<DB: Driver> {
    /// The idle connections that belong to no worker, and those whose worker is busy.
    pub(super) common: unmanaged::Pool<Box<Slot<DB>>>,
    pub(super) shelves: Box<[Shelf<DB>]>,
    pub(super) budget: Arc<Semaphore>,
    pub(super) plan: Plan,
    pub(super) epoch: Epoch,
    pub(super) connector: Connector<DB>,
    pub(super) paradigm: Paradigm,
    /// One transaction at a time, where the database takes only one writer.
    pub(super) writer: Option<Arc<Semaphore>>,
    /// Those who wait for the turn to write: the tasks, where they are tasks.
    writers: Mutex<Slab<Option<task::Id>>>,
    /// Those who wait for a connection.
    waiters: Mutex<Waiters<Object<DB>>>,
    /// Connections of an older generation are not used again.
    pub(super) generation: AtomicU64,
    /// Counts connections that broke: a proof of life from before counts no more.
    alarm: AtomicU64,
    /// Counts changes of the schema that prepared statements were met by.
    pub(super) schemas: Arc<AtomicU64>,
    pub(super) search: Search,
    closed: AtomicBool,
    cards: Mutex<Vec<Card>>,
    pub(super) counts: Counts,
}

impl<DB: Driver> Pool<DB> {
    pub(super) fn new(
        plan: Plan,
        epoch: Epoch,
        paradigm: Paradigm,
        connector: Connector<DB>,
        writer: Option<Arc<Semaphore>>,
        workers: Vec<Worker>,
    ) -> Self {
        // A serverless host opens a connection inside the call that needs it; SQLite has no sockets.
        let drive = paradigm == Paradigm::LongRunning && DB::KIND != Kind::Sqlite;
        let workers = if drive { workers } else { Vec::new() };
        let size = plan.size();
        let waiters = Mutex::new(Waiters::new(workers.len()));
        Self {
            common: unmanaged::Pool::new(size),
            shelves: workers.into_iter().map(|worker| Shelf::new(worker, size)).collect(),
            budget: Arc::new(Semaphore::new(size)),
            plan,
            epoch,
            connector,
            paradigm,
            writer,
            writers: Mutex::default(),
            waiters,
            generation: AtomicU64::new(0),
            alarm: AtomicU64::new(0),
            schemas: Arc::default(),
            search: Search::default(),
            closed: AtomicBool::new(false),
            cards: Mutex::default(),
            counts: Counts::default(),
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
        self.works_here();
        while let Some(lent) = self.idle() {
            if let Some((lent, now)) = self.proven(lent, None).await {
                self.counts.lay_ready();
                return Ok(sign_out(lent, place, now));
            }
        }
        let begun = Instant::now();
        let (lent, now) = self.wait(place, begun).await?;
        self.counts.waited(now - begun);
        Ok(sign_out(lent, place, now))
    }

    /// Takes a connection back, or closes it where it must not be used again.
    pub(super) fn take_back(mut lent: Lent<DB>) {
        let (slot, pool) = lent.parts();
        let holder = slot.card.give_back();
        if let Some(Holder { reported: true, place, since, .. }) = &holder {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!(%place, seconds, "a connection that was thought leaked has come back");
        }
        if slot.session.condition.demoted {
            match pool.paradigm {
                Paradigm::LongRunning => pool.look_for_writer(),
                // Nothing may be under way when it is frozen; the next connection may lead elsewhere.
                Paradigm::Serverless => slot.session.condition.leave(),
            }
        }
        slot.session.condition.renew();
        if !slot.session.is_clean() || pool.is_closed() || std::thread::panicking() {
            let condition = &slot.session.condition;
            let mut reason = if pool.is_closed() { Reason::Drained } else { Reason::Dirty };
            if let Some(change) = condition.change().filter(|_| reason == Reason::Dirty) {
                reason = Reason::Changed;
                pool.counts.changed(change);
            }
            if condition.is_lost() {
                reason = Reason::Lost;
                pool.alarm.fetch_add(1, Ordering::Release);
            }
            if condition.outdated {
                reason = Reason::Outdated;
                pool.renew(slot.generation);
            }
            if let Some(holder) = holder {
                pool.counts.used(holder.since.elapsed());
            }
            let pool = Arc::clone(pool);
            return pool.give_up(lent, reason);
        }
        let proven = std::mem::take(&mut slot.session.condition.proven);
        if proven {
            pool.stamp(slot);
        }
        if let Some(holder) = holder {
            let now = if proven { slot.proof.instant() } else { Instant::now() };
            pool.counts.used(now.saturating_duration_since(holder.since));
        }
        // Dropping it is what returns it, to whoever's turn it is.
        drop(lent);
    }

    /// Closes a connection for good, and sees to it that those who wait get another.
    pub(super) fn give_up(self: &Arc<Self>, lent: Lent<DB>, reason: Reason) {
        self.counts.closed(reason);
        self.connector.part(self, *lent.take());
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

    /// Notes that a connection has just proven to be alive.
    fn stamp(&self, slot: &mut Slot<DB>) {
        slot.proof = Moment::now(&self.epoch);
        slot.alarm = self.alarm();
    }

    /// How many connections have broken.
    pub(super) fn alarm(&self) -> u64 {
        self.alarm.load(Ordering::Acquire)
    }

    /// Whether a connection is fit for use without being asked: of this generation, not too old, and proven
    /// alive a moment ago with no sign of trouble since.
    fn is_proven(&self, slot: &Slot<DB>, now: &Moment) -> bool {
        self.is_current(slot, now)
            && now.same_epoch(&slot.proof)
            && now.since(&slot.proof) <= self.plan.proof()
            && slot.alarm == self.alarm()
    }

    pub(super) fn is_current(&self, slot: &Slot<DB>, now: &Moment) -> bool {
        slot.generation == self.generation.load(Ordering::Acquire)
            && now.since(&slot.born) <= slot.lifetime
            && !self.is_orphan(slot)
    }

    /// Why a connection that is not current must go.
    pub(super) fn end_of(&self, slot: &Slot<DB>) -> Reason {
        if self.is_orphan(slot) {
            Reason::Stranded
        } else if slot.generation == self.generation.load(Ordering::Acquire) {
            Reason::Lifetime
        } else {
            Reason::Outdated
        }
    }

    /// The connection if it is fit for use, which it says itself where nothing else does, and when it was found
    /// to be. Where it is not, it has been closed; where there is no time to find out, it comes back by itself
    /// once it has answered.
    pub(super) async fn proven(
        self: &Arc<Self>,
        lent: Lent<DB>,
        until: Option<Instant>,
    ) -> Option<(Lent<DB>, Instant)> {
        let now = Moment::now(&self.epoch);
        if self.is_proven(&lent, &now) {
            return Some((lent, now.instant()));
        }
        if !self.is_current(&lent, &now) {
            let reason = self.end_of(&lent);
            self.give_up(lent, reason);
            return None;
        }
        // Boxed: what is rare does not make every borrowing larger.
        let lent = Box::pin(self.doubted(lent, until)).await?;
        Some((lent, Instant::now()))
    }

    /// [`proven`](Self::proven), where it must be asked.
    async fn doubted(self: &Arc<Self>, lent: Lent<DB>, until: Option<Instant>) -> Option<Lent<DB>> {
        let until = until.or_else(deadline::current);
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        match (left, self.paradigm) {
            // A caller in a hurry must not judge: silence until its deadline proves nothing.
            (Some(left), Paradigm::LongRunning) if left < self.plan.ping() => {
                let pool = Arc::clone(self);
                self.connector.home().spawn(async move {
                    // If it answers it is returned by being dropped.
                    let _ = pool.asked(lent, pool.plan.ping()).await;
                });
                None
            }
            (Some(left), _) => self.asked(lent, left.min(self.plan.ping())).await,
            (None, _) => self.asked(lent, self.plan.ping()).await,
        }
    }

    /// The connection if it is alive when it is asked; closed where it is not.
    pub(super) async fn asked(
        self: &Arc<Self>,
        lent: Lent<DB>,
        patience: Duration,
    ) -> Option<Lent<DB>> {
        self.counts.asked();
        let mut asked = Asked { lent: Some(lent), pool: self };
        let lent = asked.lent.as_mut().expect("it was put there just now");
        let answer = tokio::time::timeout(patience, lent.session.ping()).await;
        let mut lent = asked.lent.take().expect("it is taken out here only");
        match answer {
            Ok(Ok(())) => {
                self.stamp(&mut lent);
                Some(lent)
            }
            Err(_) if self.is_stalled(&lent) => {
                // The worker that drives it has not looked for the answer, which says nothing of the others.
                self.give_up(lent, Reason::Stranded);
                None
            }
            Ok(Err(_)) | Err(_) => {
                // What took this one has most likely taken the others that are as old: they go without being
                // asked, each of which would cost its own timeout.
                if answer.is_ok() || patience >= self.plan.ping() {
                    self.renew(lent.generation);
                }
                lent.session.condition.lose();
                self.give_up(lent, Reason::Silent);
                None
            }
        }
    }

    /// The connections that are open: the card of one that was closed stays until another is opened.
    pub(super) fn cards(&self) -> Vec<Card> {
        let cards = self.cards.lock().unwrap_or_else(PoisonError::into_inner);
        cards.iter().filter(|card| card.is_current()).cloned().collect()
    }

    pub(super) fn holders(&self) -> Vec<Holder> {
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
        while self.budget.available_permits() > 0 && self.connector.may_start(self.unserved()) {
            match Arc::clone(&self.budget).try_acquire_owned() {
                Ok(permit) => self.connector.start(self, permit),
                Err(_) => self.connector.did_not_start(),
            }
        }
    }

    /// Opens a connection where fewer are open than are to be kept, one at a time.
    pub(super) fn keep_warm(self: &Arc<Self>) {
        let open = self.plan.size().saturating_sub(self.budget.available_permits());
        if open >= self.plan.warm() || self.is_closed() || !self.connector.may_start(1) {
            return;
        }
        match Arc::clone(&self.budget).try_acquire_owned() {
            Ok(permit) => self.connector.start(self, permit),
            Err(_) => self.connector.did_not_start(),
        }
    }

    /// How many wait for whom no connection lies ready: one that has been added or returned a moment ago may
    /// not have been picked up yet.
    fn unserved(&self) -> usize {
        let waiting = self.waiters().in_line();
        waiting.saturating_sub(self.count_ready())
    }

    pub(super) fn waiters(&self) -> MutexGuard<'_, Waiters<Object<DB>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn writers(&self) -> MutexGuard<'_, Slab<Option<task::Id>>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has everybody who waits look around: the pool closes, or waiting has become hopeless.
    pub(super) fn call_waiters(&self) {
        let wakers = self.waiters().call();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Puts a new connection among the idle ones.
    pub(super) fn add(&self, slot: Box<Slot<DB>>) {
        if self.is_closed() {
            return self.counts.closed(Reason::Drained);
        }
        let mut cards = self.cards.lock().unwrap_or_else(PoisonError::into_inner);
        cards.retain(Card::is_current);
        cards.push(slot.card.clone());
        drop(cards);
        self.lay(slot);
    }

    /// Closes what became idle while the pool was being closed.
    pub(super) fn clear_if_closed(&self) {
        if self.is_closed() {
            while let Some(slot) = self.remove_idle() {
                self.counts.closed(Reason::Drained);
                drop(slot);
            }
        }
    }

    /// Closes what must not be kept through a freeze: connections of a server that has few left, which
    /// others wait for while this process sleeps.
    pub(super) fn rest(self: &Arc<Self>) {
        if self.paradigm == Paradigm::LongRunning {
            return;
        }
        let mut kept = Vec::new();
        while let Some(lent) = self.any_idle() {
            if lent.crowded {
                self.give_up(lent, Reason::Crowded);
            } else {
                kept.push(lent);
            }
        }
    }

    /// How long a transaction that begins now may last, on a host that may freeze this process in the middle of
    /// it: until the request's deadline.
    pub(super) fn limit_of_transactions(&self) -> Option<Duration> {
        match (self.paradigm, self.connector.pooler()) {
            // RDS Proxy keeps a client that sets anything on one connection for good.
            (Paradigm::LongRunning, _) | (_, Pooler::RdsProxy) => None,
            (Paradigm::Serverless, _) => deadline::remaining(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Closes the pool: waiters are refused at once, idle connections say goodbye, those in use are waited
    /// for until `within` is over.
    pub(super) async fn close(self: &Arc<Self>, within: Duration) -> Drained {
        let begun = Instant::now();
        let open = self.plan.size() - self.budget.available_permits().min(self.plan.size());
        self.closed.store(true, Ordering::Release);
        self.call_waiters();
        if let Some(writer) = &self.writer {
            writer.close();
        }
        let everything = async {
            let mut farewells = Vec::new();
            while let Some(slot) = self.remove_idle() {
                self.counts.closed(Reason::Drained);
                farewells.push(async move {
                    let Slot { session, _permit, .. } = *slot;
                    let _ = sqlx::Connection::close(session.connection).await;
                });
            }
            futures_util::future::join_all(farewells).await;
            let size = u32::try_from(self.plan.size()).unwrap_or(u32::MAX);
            let _ = self.budget.acquire_many(size).await;
        };
        let _ = tokio::time::timeout(within, everything).await;
        let mut holders = self.holders();
        holders.sort_by_key(|holder| holder.since);
        let drained = Drained {
            pool: self.connector.place().to_owned(),
            closed: open.saturating_sub(holders.len()),
            aborted: holders.len(),
            holders: holders
                .iter()
                .map(|holder| (holder.place.to_string(), holder.since.elapsed()))
                .collect(),
            took: begun.elapsed(),
        };
        drained.log();
        drained
    }

    /// Names in the log, once each, those who have held a connection for longer than the plan thinks right.
    pub(super) fn report_leaks(&self) {
        for holder in self.cards().iter().filter_map(|card| card.report(self.plan.leak())) {
            self.counts.leaked();
            tracing::warn!(
                place = %holder.place,
                seconds = holder.since.elapsed().as_secs_f64(),
                "a database connection is held for long: it may have leaked"
            );
        }
    }

    /// The state of the pool at this moment.
    pub(super) fn state(&self) -> PoolState {
        let holders = self.holders();
        let max = self.plan.size();
        let waiters = self.waiters();
        let (waiting, given) = (waiters.count(), waiters.given());
        drop(waiters);
        PoolState {
            open: max - self.budget.available_permits().min(max),
            max,
            in_use: holders.len(),
            idle: self.count_idle() + given,
            waiting,
            longest_holder: holders
                .iter()
                .min_by_key(|holder| holder.since)
                .map(|holder| (holder.place.to_string(), holder.since.elapsed())),
            last_connect_error: self.connector.last_outage().map(|outage| outage.to_string()),
        }
    }

    /// The pool in numbers.
    pub(super) fn stats(&self) -> Stats {
        let PoolState { open, max, in_use, idle, waiting, .. } = self.state();
        self.counts.read(Stats {
            pool: self.connector.place().to_owned(),
            system: DB::SYSTEM,
            open,
            idle,
            in_use,
            waiting,
            waiting_to_write: self.writers().len(),
            max,
            warm: self.plan.warm(),
            ..Stats::default()
        })
    }
}

fn sign_out<DB: Driver>(
    lent: Lent<DB>,
    place: &'static Location<'static>,
    since: Instant,
) -> Lent<DB> {
    lent.card.lend(Holder { place, since, task: tokio::task::try_id(), reported: false });
    lent
}

/// A connection that has been asked something and not answered: dropped like this it is closed, since its
/// answer would be taken for that of the next question.
struct Asked<'p, DB: Driver> {
    lent: Option<Lent<DB>>,
    pool: &'p Arc<Pool<DB>>,
}

impl<DB: Driver> Drop for Asked<'_, DB> {
    fn drop(&mut self) {
        if let Some(lent) = self.lent.take() {
            self.pool.give_up(lent, Reason::Dirty);
        }
    }
}
