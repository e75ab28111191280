//! Looking after idle connections on a long-running host: the oldest retire, the rest are kept from being
//! forgotten on the way, and long holders are named.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::clock::Moment;
use super::driver::Driver;
use super::plan::Plan;
use super::pool::Pool;
use super::stats::Reason;

/// How often the connections are looked at, where no time of the plan is so short that it must be oftener.
const PERIOD: Duration = Duration::from_secs(15);

/// The shortest time between two looks.
const SHORTEST_PERIOD: Duration = Duration::from_millis(50);

/// Looks after a pool until it is dropped or closed.
pub(super) fn start<DB: Driver>(pool: &Arc<Pool<DB>>) {
    let weak: Weak<Pool<DB>> = Arc::downgrade(pool);
    let period = period(&pool.plan);
    pool.connector.home().spawn(async move {
        loop {
            tokio::time::sleep(period).await;
            let Some(pool) = weak.upgrade() else { return };
            if pool.is_closed() {
                return;
            }
            look_after(&pool).await;
        }
    });
}

/// A quarter of the shortest time that is to be kept.
fn period(plan: &Plan) -> Duration {
    let times = [Some(plan.idle()), Some(plan.lifetime()), Some(plan.leak()), plan.keepalive()];
    let shortest = times.into_iter().flatten().min().unwrap_or(PERIOD);
    (shortest / 4).clamp(SHORTEST_PERIOD, PERIOD)
}

async fn look_after<DB: Driver>(pool: &Arc<Pool<DB>>) {
    pool.report_leaks();
    let now = Moment::now(&pool.epoch);
    // The idle ones, newest first: deadpool lends the newest, so the oldest are the superfluous ones.
    let mut idle = Vec::new();
    while let Some(lent) = pool.any_idle() {
        idle.push(lent);
    }
    // Each shelf is in this order; all of them are not.
    idle.sort_by_key(|lent| now.since(&lent.proof));
    let mut stale = Vec::new();
    for (index, lent) in idle.into_iter().enumerate().collect::<Vec<_>>().into_iter().rev() {
        let unused = now.since(&lent.proof);
        if !pool.is_current(&lent, &now) {
            let reason = pool.end_of(&lent);
            pool.give_up(lent, reason);
        } else if index >= pool.plan.warm() && unused > pool.plan.idle() {
            pool.give_up(lent, Reason::Idle);
        } else if pool
            .plan
            .keepalive()
            .is_some_and(|keepalive| unused > keepalive && now.since(&lent.kept) > keepalive)
        {
            stale.push(lent);
        }
        // The others return to their places by being dropped, oldest first.
    }
    for lent in stale {
        // Keeping a connection is no use of it: only use keeps it from being superfluous.
        let proof = lent.proof;
        if let Some(mut lent) = pool.asked(lent, pool.plan.ping()).await {
            lent.kept = Moment::now(&pool.epoch);
            lent.proof = proof;
        }
    }
    pool.connect_for_waiting();
    pool.keep_warm();
}
