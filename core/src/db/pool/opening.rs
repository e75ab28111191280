//! When connections are opened: as many as callers wait for, within the budget, and one at a time during an outage.

use std::sync::Arc;
use std::sync::atomic::{self, Ordering};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Pool;
use crate::db::connect::{Backoff, Connect, ConnectFailure, LONGEST_PAUSE};

/// The attempts to connect that are under way, and the outage that limits them.
#[derive(Default)]
pub(super) struct Growth {
    /// Attempts that have begun and not ended.
    connecting: usize,
    /// The last failure to connect, if no attempt has succeeded since, and the time since which attempts have failed one
    /// after the other; no time if the attempts under way began later and have not failed.
    pub(super) outage: Option<(ConnectFailure, Option<Instant>)>,
}

impl Growth {
    /// Counts an attempt that begins.
    fn begin(&mut self) {
        // No attempt went on, so the failure may be an old one.
        if self.connecting == 0
            && let Some((_, since)) = &mut self.outage
        {
            *since = None;
        }
        self.connecting += 1;
    }
}

impl<C: Connect> Pool<C> {
    /// Opens as many connections as are waited for, as far as the budget goes; one at a time during an outage.
    ///
    /// Called after every change of what this depends on: of two concurrent changes the later call sees both.
    pub(super) fn open_for_waiting(self: &Arc<Self>) {
        // Of two threads that have changed the queue and the budget, one sees the other's change (no lost wakeup).
        atomic::fence(Ordering::SeqCst);
        if self.may_freeze || self.is_closed() || self.budget.available_permits() == 0 {
            return;
        }
        let mut growth = self.growth();
        loop {
            let wanted = self.queue.waiting();
            let most = if growth.outage.is_some() { wanted.min(1) } else { wanted };
            if growth.connecting >= most {
                return;
            }
            let Ok(permit) = Arc::clone(&self.budget).try_acquire_owned() else { return };
            growth.begin();
            self.spawn_attempt(permit);
        }
    }

    /// Makes an attempt unless one is being made: it notices when the server is back.
    pub(super) fn probe(self: &Arc<Self>) {
        if self.may_freeze || self.is_closed() {
            return;
        }
        let mut growth = self.growth();
        if growth.connecting == 0
            && let Ok(permit) = Arc::clone(&self.budget).try_acquire_owned()
        {
            growth.begin();
            self.spawn_attempt(permit);
        }
    }

    /// Connects in a task of its own, so that a caller that gives up leaves a finished handshake to the next one.
    /// While the server is away one task stays, and notices its return.
    fn spawn_attempt(self: &Arc<Self>, permit: OwnedSemaphorePermit) {
        let weak = Arc::downgrade(self);
        self.runtime.spawn(async move {
            let mut backoff = Backoff::default();
            loop {
                let Some(pool) = weak.upgrade() else { return };
                match pool.connector.connect(None).await {
                    Ok(opened) => {
                        let mut growth = pool.growth();
                        growth.connecting -= 1;
                        growth.outage = None;
                        drop(growth);
                        pool.add(opened, permit);
                        return pool.open_for_waiting();
                    }
                    Err(failure) => {
                        if !pool.failed(failure) {
                            return pool.free(permit);
                        }
                    }
                }
                drop(pool);
                tokio::time::sleep(backoff.next(LONGEST_PAUSE)).await;
            }
        });
    }

    /// Records that an attempt has failed. Returns whether it is to be made again, to notice the server's return.
    fn failed(&self, failure: ConnectFailure) -> bool {
        let mut growth = self.growth();
        if growth.outage.is_none() {
            tracing::warn!("connecting to the database fails: {failure}");
        }
        let since = growth.outage.as_ref().and_then(|(_, since)| *since);
        let since = since.unwrap_or_else(Instant::now);
        let is_final = failure.is_final();
        // If the open connections serve the callers, a further one that the server refuses is not needed.
        let needed = self.queue.waiting() > 0 || !self.is_open_but_refused(&failure);
        growth.outage = Some((failure, Some(since)));
        let again = growth.connecting == 1 && needed && !self.is_closed();
        if !again {
            growth.connecting -= 1;
        }
        drop(growth);
        // Callers that come later check for it themselves.
        if is_final && let Some(failure) = self.final_failure() {
            self.queue.fail(&failure);
        }
        again
    }

    /// Whether the server can be reached, as its refusal shows, and connections are open.
    pub(super) fn is_open_but_refused(&self, failure: &ConnectFailure) -> bool {
        failure.is_from_server() && !self.monitors().is_empty()
    }

    /// The last failure to connect, if no attempt has succeeded since.
    pub(super) fn outage(&self) -> Option<ConnectFailure> {
        self.growth().outage.as_ref().map(|(failure, _)| failure.clone())
    }

    /// The same, and the time of the first failure, if an attempt is being made that has failed before.
    pub(super) fn watched_outage(&self) -> Option<(ConnectFailure, Instant)> {
        let growth = self.growth();
        let (failure, since) = growth.outage.as_ref().filter(|_| growth.connecting > 0)?;
        since.map(|since| (failure.clone(), since))
    }

    /// The failure for which a new caller is refused: the outage has lasted for longer than it would wait, or waiting
    /// cannot end it. An old failure refuses no caller: it waits for a new attempt.
    pub(super) fn refusal(&self) -> Option<ConnectFailure> {
        let (failure, since) = self.watched_outage()?;
        if self.is_served_despite(&failure) {
            return None;
        }
        let is_long = since.elapsed() > self.plan.acquire_timeout();
        if is_long {
            self.counts.refused.add();
        }
        (is_long || failure.is_final()).then_some(failure)
    }

    /// The failure that waiting cannot end, if an attempt is under way that shows it and no open connection serves
    /// the callers.
    pub(super) fn final_failure(&self) -> Option<ConnectFailure> {
        let (failure, _) = self.watched_outage()?;
        (failure.is_final() && !self.is_served_despite(&failure)).then_some(failure)
    }

    /// Whether callers are served although connecting fails: an open connection comes back to those that wait.
    pub(super) fn is_served_despite(&self, failure: &ConnectFailure) -> bool {
        let monitors = self.monitors();
        if failure.is_from_server() {
            return !monitors.is_empty();
        }
        // The server does not answer new connections, so the open ones may wait for replies that never come.
        let recently = self.plan.acquire_timeout();
        monitors.iter().any(|monitor| monitor.answered().elapsed() <= recently)
    }
}
