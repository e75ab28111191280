//! A connection that comes back: it is kept for the next caller, or closed, and its place in the budget is free when
//! the server has closed it too.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool::unmanaged::Object;
use tokio::sync::OwnedSemaphorePermit;

use super::Pool;
use super::clock::FreezeAwareInstant;
use super::counts::Reason;
use super::entry::Entry;
use super::queue::Pooled;
use crate::db::connect::{Connect, Connection, Loan, Release, Taint};

impl<C: Connect> Pool<C> {
    /// Takes a connection back, or closes it if it must not be used again.
    pub(super) fn put_back(self: &Arc<Self>, mut entry: Pooled<C>) {
        let Loan { answered, demoted } = entry.connection.end_of_loan();
        let now = FreezeAwareInstant::now(&self.epoch);
        if demoted && !self.may_freeze {
            self.look_for_writer();
        }
        if let Some(holder) = entry.monitor.give_back(answered.then(|| now.instant())) {
            self.counts.use_time.add(now.instant().saturating_duration_since(holder.since));
            if holder.reported {
                let seconds = holder.since.elapsed().as_secs_f64();
                tracing::info!(place = %holder.purpose, seconds, "a connection that was thought leaked has come back");
            }
        }
        let taint = match entry.connection.taint() {
            // The answer to a cancelled ping would be taken for the answer to the next statement.
            None if entry.pinging || std::thread::panicking() => Some(Taint::Dirty),
            // No search may run during a freeze. Instead this connection is closed, and the next one may lead to a
            // writer.
            None if demoted && self.may_freeze => Some(Taint::Dirty),
            taint => taint,
        };
        let closed = self.is_closed();
        if taint.is_none() && !closed {
            if answered {
                entry.last_used = now;
                entry.validated(now, self.incidents());
            }
            return self.hand_over(entry, now);
        }
        if let Some(Taint::Changed(change)) = taint {
            self.counts.changed(change);
        }
        let lost = matches!(taint, Some(Taint::Lost | Taint::Outdated));
        if lost {
            self.incidents.fetch_add(1, Ordering::Release);
        }
        if taint == Some(Taint::Outdated) {
            self.retire(entry.generation);
        }
        let reason = match taint {
            _ if closed => Reason::Drained,
            Some(Taint::Outdated) => Reason::Outdated,
            Some(Taint::Lost) => Reason::Lost,
            Some(Taint::Changed(_)) => Reason::Changed,
            Some(Taint::Dirty) | None => Reason::Dirty,
        };
        self.discard(*Object::take(entry), reason, lost);
    }

    /// Closes a connection, and opens another if callers wait. `lost`: the server does not count the connection any
    /// more.
    pub(super) fn discard(
        self: &Arc<Self>,
        entry: Entry<C::Connection>,
        reason: Reason,
        lost: bool,
    ) {
        self.counts.closed(reason);
        let Entry { connection, permit, .. } = entry;
        let release = if lost || self.is_closed() {
            drop(connection);
            Release::After(Duration::ZERO)
        } else {
            self.connector.release(connection)
        };
        match release {
            // No task may be left running when the process is frozen, so the permit is free at once: one connection more does
            // no harm.
            Release::After(time) if time.is_zero() || self.may_freeze => self.free(permit),
            Release::After(time) => {
                let pool = Arc::clone(self);
                self.runtime.spawn(async move {
                    tokio::time::sleep(time).await;
                    pool.free(permit);
                });
            }
            Release::Work(work) => {
                let pool = Arc::clone(self);
                self.runtime.spawn(async move {
                    match work.await {
                        Some(opened) => pool.add(opened, permit),
                        None => pool.free(permit),
                    }
                });
            }
        }
    }

    /// Frees a place in the budget, and opens another connection if callers wait.
    pub(super) fn free(self: &Arc<Self>, permit: OwnedSemaphorePermit) {
        drop(permit);
        self.open_for_waiting();
    }
}
