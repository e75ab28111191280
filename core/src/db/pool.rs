//! The connections of one process: which caller gets which, and when one is opened or closed.
//!
//! Two parts make it. [`queue`] keeps the connections, in deadpool's unmanaged pool, and the callers that wait, first
//! come, first served; a semaphore is the budget, and every open connection owns one of its permits until the server has
//! closed it. [`opening`] decides when a connection is opened for the callers that wait.

mod acquire;
mod clock;
mod closing;
mod counts;
mod demotion;
mod entry;
mod guard;
mod opening;
mod queue;
mod readiness;
mod returning;
mod state;
mod upkeep;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use clock::FreezeAwareInstant;
use counts::{Counts, Reason};
use entry::Entry;
pub(super) use entry::{Monitor, Purpose};
pub(super) use guard::PooledConnection;
use opening::Growth;
use queue::WaitQueue;

use super::connect::{Connect, Connection};
use super::plan::Plan;
use super::pool_state::PoolState;
use crate::Epoch;

/// Lends the connections that a [`Connect`] opens.
pub(super) struct Pool<C: Connect> {
    queue: WaitQueue<C>,
    /// One permit for each connection that may be open.
    budget: Arc<Semaphore>,
    /// The places in the budget, without those that were leased to other pools.
    size: AtomicUsize,
    plan: Plan,
    epoch: Epoch,
    connector: C,
    name: String,
    /// Whether this process may be frozen between two requests: then no work may run in the background.
    may_freeze: bool,
    growth: Mutex<Growth>,
    /// Connections of an older generation are not used again.
    generation: AtomicU64,
    /// How many connections have broken: a validation from before the last one does not count.
    incidents: AtomicU64,
    /// Whether a server that takes writes is being looked for.
    looks_for_writer: AtomicBool,
    closed: AtomicBool,
    monitors: Mutex<Vec<Weak<Monitor>>>,
    counts: Counts,
    /// The runtime that drives every connection: the one that lives as long as the process.
    runtime: Handle,
}

impl<C: Connect> Pool<C> {
    /// Makes a pool without a connection, on the runtime that drives its connections from then on.
    pub(super) fn new(
        plan: Plan,
        epoch: Epoch,
        may_freeze: bool,
        connector: C,
        name: String,
    ) -> Arc<Self> {
        let size = plan.size();
        Arc::new(Self {
            queue: WaitQueue::new(size),
            budget: Arc::new(Semaphore::new(size)),
            size: AtomicUsize::new(size),
            plan,
            epoch,
            connector,
            name,
            may_freeze,
            growth: Mutex::default(),
            generation: AtomicU64::new(0),
            incidents: AtomicU64::new(0),
            looks_for_writer: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            monitors: Mutex::default(),
            counts: Counts::default(),
            runtime: Handle::current(),
        })
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn connector(&self) -> &C {
        &self.connector
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn may_freeze(&self) -> bool {
        self.may_freeze
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Takes an idle connection, if there is one and no caller waits.
    pub(super) fn try_idle(self: &Arc<Self>) -> Option<PooledConnection<C>> {
        self.queue.pop().map(|entry| PooledConnection::new(entry, self))
    }

    /// Takes every idle connection, the last to come back first. One that is dropped is idle again.
    pub(super) fn all_idle(self: &Arc<Self>) -> Vec<PooledConnection<C>> {
        std::iter::from_fn(|| self.try_idle()).collect()
    }

    /// Adds the connection that was opened before there was a pool.
    pub(super) fn add_first(self: &Arc<Self>, opened: C::Connection) {
        let permit = Arc::clone(&self.budget).try_acquire_owned();
        self.add(
            opened,
            permit.expect("a plan has room for one connection, and this is the first"),
        );
    }

    /// Adds a connection that was opened, with its place in the budget: it goes to the caller that has waited
    /// longest.
    pub(super) fn add(self: &Arc<Self>, connection: C::Connection, permit: OwnedSemaphorePermit) {
        self.counts.create_time.add(connection.connect_time());
        if self.is_closed() {
            return self.counts.closed(Reason::Drained);
        }
        let now = FreezeAwareInstant::now(&self.epoch);
        let monitor = Arc::new(Monitor::new(connection.pending_reply()));
        let mut monitors = self.monitors.lock().unwrap_or_else(PoisonError::into_inner);
        monitors.retain(|monitor| monitor.strong_count() > 0);
        monitors.push(Arc::downgrade(&monitor));
        drop(monitors);
        let entry = Box::new(Entry {
            connection,
            monitor,
            last_used: now,
            last_validated: now,
            incidents: self.incidents(),
            opened: now,
            lifetime: spread(self.plan.max_lifetime()),
            generation: self.generation(),
            pinging: false,
            permit,
        });
        // There is room: the connection owns one of as many permits as there are places.
        if let Some(entry) = self.queue.add(entry) {
            self.hand_over(entry, now);
        }
    }

    /// Declares every connection of a generation unfit: idle ones are closed when a caller meets them, those in use
    /// when they come back.
    fn retire(&self, generation: u64) {
        let next = generation + 1;
        let _ =
            self.generation.compare_exchange(generation, next, Ordering::AcqRel, Ordering::Relaxed);
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn incidents(&self) -> u64 {
        self.incidents.load(Ordering::Acquire)
    }

    /// The monitors of the open connections.
    pub(super) fn monitors(&self) -> Vec<Arc<Monitor>> {
        let monitors = self.monitors.lock().unwrap_or_else(PoisonError::into_inner);
        monitors.iter().filter_map(Weak::upgrade).collect()
    }

    /// Takes places out of the budget for good, for another pool: waits for those that are in use, and closes idle
    /// connections. What was taken comes back if the caller gives up.
    pub(super) async fn lease(self: &Arc<Self>, places: usize) -> OwnedSemaphorePermit {
        let mut leased: Option<OwnedSemaphorePermit> = None;
        for _ in 0..places {
            if self.budget.available_permits() == 0
                && let Some(guard) = self.try_idle()
            {
                guard.discard(Reason::Idle, false);
            }
            let budget = Arc::clone(&self.budget);
            let permit = budget.acquire_owned().await.expect("the budget is never closed");
            match &mut leased {
                Some(leased) => leased.merge(permit),
                None => leased = Some(permit),
            }
        }
        self.size.fetch_sub(places, Ordering::AcqRel);
        leased.expect("at least one place is leased")
    }

    /// Closes connections that must not be kept through a freeze: those of a server with few left, which other
    /// processes need while this one is frozen.
    pub(super) fn rest(self: &Arc<Self>) {
        if !self.may_freeze {
            return;
        }
        for guard in self.all_idle() {
            if guard.is_crowded() {
                guard.discard(Reason::Crowded, false);
            }
        }
    }

    fn growth(&self) -> MutexGuard<'_, Growth> {
        self.growth.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lifetime up to a quarter shorter, so that connections which were opened together do not end together.
fn spread(longest: Duration) -> Duration {
    longest.mul_f64(1.0 - 0.25 * fastrand::f64())
}
