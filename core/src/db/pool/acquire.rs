//! Borrowing a connection: an idle one at once, otherwise in order of arrival and until a deadline.
//!
//! Long because every way in which a wait ends is decided in one loop.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::clock::FreezeAwareInstant;
use super::counts::Reason;
use super::queue::{Handover, Joined, Wait, WaitError};
use super::{Pool, PoolState, PooledConnection, Purpose};
use crate::db::connect::{Connect, ConnectFailure, Connection, connect_until};
use crate::db::error::Error;
use crate::deadline;

/// How many callers may wait per connection. The timeout bounds their wait; this bounds the memory, and refuses
/// callers at once that no connection could serve in time: a thousand queries of 2 ms take the 2 s that a caller
/// waits.
const QUEUE_PER_CONNECTION: usize = 1024;

impl<C: Connect> Pool<C> {
    /// Borrows a connection that is alive: an idle one, or the first that is available: one that comes back, or a new
    /// one.
    pub(in crate::db) async fn acquire(
        self: &Arc<Self>,
        purpose: Purpose,
    ) -> Result<PooledConnection<C>, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let arrived = FreezeAwareInstant::now(&self.epoch);
        let begun = arrived.instant();
        let until = deadline::at_most(begun + self.plan.acquire_timeout());
        let most = self.plan.size().saturating_mul(QUEUE_PER_CONNECTION);
        let (mut now, mut waited) = (Some(arrived), false);
        loop {
            let guard = match self.join(until, most) {
                Joined::Idle(guard) => guard,
                Joined::Waits(_) if until <= begun => {
                    return Err(self.timeout_error(begun, until, self.state()));
                }
                Joined::Waits(wait) => match self.wait_for_connection(wait, until).await {
                    Ok((guard, came_back)) => {
                        // The time of the handover is recent enough, unless there was a freeze since.
                        now = Some(came_back).filter(|time| time.is_of(&self.epoch));
                        waited = true;
                        guard
                    }
                    Err(WaitError::Failed(error)) => return Err(error),
                    Err(WaitError::TimedOut { waiting }) => {
                        let state = PoolState { waiting, ..self.state() };
                        let error = self.timeout_error(begun, until, state);
                        return Err(self.outage().map_or(error, ConnectFailure::into_error));
                    }
                },
                Joined::Full => {
                    self.counts.refused.add();
                    return Err(Error::QueueFull { state: self.state() });
                }
            };
            let now = now.take().unwrap_or_else(|| FreezeAwareInstant::now(&self.epoch));
            let until = waited.then_some(until);
            if let Some((guard, now)) = self.usable_at(now, guard, until).await {
                if waited {
                    self.counts.wait_time.add(now.saturating_duration_since(begun));
                } else {
                    self.counts.wait_time.add_none();
                }
                return Ok(guard.lend(purpose, now));
            }
        }
    }

    /// Counts a caller that got no connection in time, and returns its error. `until` is earlier than the plan's
    /// timeout if its request has a deadline.
    pub(in crate::db) fn timeout_error(
        &self,
        begun: Instant,
        until: Instant,
        state: PoolState,
    ) -> Error {
        self.counts.timeouts.add();
        if until < begun + self.plan.acquire_timeout() {
            Error::Deadline { state }
        } else {
            Error::TimedOut { waited: begun.elapsed(), state }
        }
    }

    /// Waits for a connection in the queue, while one is opened.
    ///
    /// On a host that may freeze this process the caller opens one itself: when it has its answer, no work is left
    /// that a freeze could interrupt.
    async fn wait_for_connection(
        self: &Arc<Self>,
        mut wait: Wait<'_, C>,
        until: Instant,
    ) -> Handover<C> {
        // Checked inside the queue: a failure from here on ends the wait, and an earlier one is seen here (no lost
        // wakeup).
        if let Some(failure) = self.refusal() {
            return Err(failure.into());
        }
        if self.may_freeze {
            // Boxed: opening a connection is a large future, which would enlarge that of every caller.
            let mut opening = Box::pin(self.open_inline(until));
            tokio::select! {
                biased;
                // First: if both fail at the caller's deadline, this one says why.
                opened = &mut opening => opened?,
                handover = &mut wait => return handover,
            }
        } else {
            self.open_for_waiting();
        }
        wait.await
    }

    async fn open_inline(self: &Arc<Self>, until: Instant) -> Result<(), WaitError> {
        let budget = Arc::clone(&self.budget);
        let permit = budget.acquire_owned().await.map_err(|_| Error::Closed)?;
        let opened = connect_until(&self.connector, (until, until), false).await?;
        self.add(opened, permit);
        Ok(())
    }

    /// Returns the connection if it is usable (pinging it unless it was validated recently), and the time of that
    /// check. If it is not usable, it is closed. If too little time is left for a ping, the ping goes on in the
    /// background and an answer makes the connection idle again.
    pub(in crate::db) fn usable(
        self: &Arc<Self>,
        guard: PooledConnection<C>,
        until: Option<Instant>,
    ) -> impl Future<Output = Option<(PooledConnection<C>, Instant)>> + Send {
        self.usable_at(FreezeAwareInstant::now(&self.epoch), guard, until)
    }

    async fn usable_at(
        self: &Arc<Self>,
        now: FreezeAwareInstant,
        guard: PooledConnection<C>,
        until: Option<Instant>,
    ) -> Option<(PooledConnection<C>, Instant)> {
        if let Some(reason) = self.expiry(&guard, &now) {
            guard.discard(reason, false);
            return None;
        }
        let entry = guard.entry();
        let answered_recently = now.same_epoch(&entry.last_validated)
            && now.since(&entry.last_validated) <= self.plan.validation_interval()
            && entry.incidents == self.incidents();
        if answered_recently {
            return Some((guard, now.instant()));
        }
        // Boxed, so that the rare ping does not enlarge the future of every caller.
        let guard = Box::pin(self.validate(guard, until)).await?;
        Some((guard, Instant::now()))
    }

    /// Returns the reason if a connection must not be used again although it works: its generation or its age.
    pub(super) fn expiry(
        &self,
        guard: &PooledConnection<C>,
        now: &FreezeAwareInstant,
    ) -> Option<Reason> {
        let entry = guard.entry();
        if entry.generation != self.generation() {
            return Some(Reason::Outdated);
        }
        (now.since(&entry.opened) > entry.lifetime).then_some(Reason::Lifetime)
    }

    async fn validate(
        self: &Arc<Self>,
        guard: PooledConnection<C>,
        until: Option<Instant>,
    ) -> Option<PooledConnection<C>> {
        let timeout = self.plan.ping_timeout();
        let until = until.or_else(|| deadline::current().map(Instant::from_std));
        let left = until.map_or(timeout, |until| until.saturating_duration_since(Instant::now()));
        if left < timeout && !self.may_freeze {
            // If less time is left than a ping may take, a timeout would not prove the connection dead: ping it
            // in the background. If it answers, it comes back by being dropped.
            let pool = Arc::clone(self);
            self.runtime.spawn(async move { drop(pool.ping(guard, timeout).await) });
            return None;
        }
        self.ping(guard, left.min(timeout)).await
    }

    /// Returns the connection if it answers a ping within this time; otherwise it is closed.
    pub(super) async fn ping(
        self: &Arc<Self>,
        mut guard: PooledConnection<C>,
        timeout: Duration,
    ) -> Option<PooledConnection<C>> {
        self.counts.pings.add();
        // If the caller gives up from here on, the dropped guard closes the connection.
        guard.entry_mut().pinging = true;
        let answer = tokio::time::timeout(timeout, guard.ping()).await;
        if matches!(answer, Ok(true)) {
            let (now, incidents) = (FreezeAwareInstant::now(&self.epoch), self.incidents());
            let entry = guard.entry_mut();
            entry.pinging = false;
            entry.connection.end_of_loan();
            entry.monitor.give_back(Some(now.instant()));
            entry.validated(now, incidents);
            return Some(guard);
        }
        // Most likely the connections that are as old are dead too: close them without a ping, which would cost a
        // timeout each.
        if answer.is_ok() || timeout >= self.plan.ping_timeout() {
            self.retire(guard.entry().generation);
        }
        guard.discard(Reason::Silent, true);
        None
    }
}
