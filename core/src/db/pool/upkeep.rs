//! Maintenance on a host that does not freeze: old and unused connections are closed, the others are kept alive, and
//! long holders are logged.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Pool;
use super::clock::FreezeAwareInstant;
use super::counts::Reason;
use crate::db::connect::Connect;
use crate::db::plan::Plan;

/// The longest time between two rounds; it is less if a time of the plan is short.
const PERIOD: Duration = Duration::from_secs(15);

/// The shortest time between two rounds.
const SHORTEST_PERIOD: Duration = Duration::from_millis(50);

/// A quarter of the shortest time of the plan.
fn period(plan: &Plan) -> Duration {
    let times = [
        Some(plan.idle_timeout()),
        Some(plan.max_lifetime()),
        Some(plan.leak_threshold()),
        plan.keepalive_interval(),
    ];
    let shortest = times.into_iter().flatten().min().unwrap_or(PERIOD);
    (shortest / 4).clamp(SHORTEST_PERIOD, PERIOD)
}

impl<C: Connect> Pool<C> {
    /// Maintains the pool until it is dropped or closed.
    pub(in crate::db) fn start_upkeep(self: &Arc<Self>) {
        let weak: Weak<Self> = Arc::downgrade(self);
        let period = period(&self.plan);
        self.runtime.spawn(async move {
            loop {
                tokio::time::sleep(period).await;
                let Some(pool) = weak.upgrade() else { return };
                if pool.is_closed() {
                    return;
                }
                pool.maintain().await;
            }
        });
    }

    async fn maintain(self: &Arc<Self>) {
        self.report_leaks();
        let now = FreezeAwareInstant::now(&self.epoch);
        let mut idle = self.all_idle();
        // The pool lends the newest, so the oldest are the superfluous ones.
        idle.sort_by_key(|guard| now.since(&guard.entry().last_used));
        let mut stale = Vec::new();
        for (index, guard) in idle.into_iter().enumerate().rev() {
            let entry = guard.entry();
            let (unused, unheard) = (now.since(&entry.last_used), now.since(&entry.last_validated));
            if let Some(reason) = self.expiry(&guard, &now) {
                guard.discard(reason, false);
            } else if index >= self.plan.warm() && unused > self.plan.idle_timeout() {
                guard.discard(Reason::Idle, false);
            } else if self.plan.keepalive_interval().is_some_and(|often| unheard > often) {
                stale.push(guard);
            }
            // The others go back by being dropped, the oldest first.
        }
        for guard in stale {
            drop(self.ping(guard, self.plan.ping_timeout()).await);
        }
        self.open_for_waiting();
        if self.open() < self.plan.warm() {
            self.probe();
        }
    }
}
