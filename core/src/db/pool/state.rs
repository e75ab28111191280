//! The state of a pool at one moment, and the holders of its connections.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::entry::Holder;
use super::{Pool, PoolState};
use crate::databases::Stats;
use crate::db::connect::Connect;

impl<C: Connect> Pool<C> {
    /// The most connections that may be open.
    pub(in crate::db) fn size(&self) -> usize {
        self.size.load(Ordering::Acquire)
    }

    /// Connections that are open or being opened, and those that the server may still count.
    pub(super) fn open(&self) -> usize {
        self.size().saturating_sub(self.budget.available_permits())
    }

    /// The holders of connections, the longest first.
    pub(super) fn holders(&self) -> Vec<Holder> {
        let monitors = self.monitors();
        let mut holders: Vec<_> = monitors.iter().filter_map(|monitor| monitor.holder()).collect();
        holders.sort_by_key(|holder| holder.since);
        holders
    }

    /// The pool at this moment.
    pub(in crate::db) fn state(&self) -> PoolState {
        let holders = self.holders();
        PoolState {
            open: self.open(),
            max: self.size(),
            in_use: holders.len(),
            idle: self.queue.idle(),
            waiting: self.queue.waiting(),
            longest_holder: holders.first().map(Holder::summary),
            last_connect_error: self.outage().map(|failure| failure.to_string()),
        }
    }

    /// The pool in numbers.
    pub(in crate::db) fn stats(&self, system: &'static str) -> Stats {
        let PoolState { open, max, in_use, idle, waiting, .. } = self.state();
        self.counts.add_to(Stats {
            pool: self.name.clone(),
            system,
            open,
            idle,
            in_use,
            waiting,
            max,
            warm: self.plan.warm(),
            ..Stats::default()
        })
    }

    /// Logs each holder that has held a connection for longer than the plan's leak threshold, once.
    pub(super) fn report_leaks(&self) {
        for monitor in self.monitors() {
            let Some(holder) = monitor.report(self.plan.leak_threshold()) else { continue };
            self.counts.leaks.add();
            tracing::warn!(
                place = %holder.purpose,
                seconds = holder.since.elapsed().as_secs_f64(),
                "a database connection is held for long: it may have leaked"
            );
        }
    }
}

impl Holder {
    /// The purpose of the loan, and how long it has lasted.
    pub(super) fn summary(&self) -> (String, Duration) {
        (self.purpose.to_string(), self.since.elapsed())
    }
}
