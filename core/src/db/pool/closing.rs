//! Closing a pool, and the report of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::Pool;
use super::entry::{Entry, Holder};
use super::stats::Reason;
use crate::db::connect::{Connect, Connection};

/// How a pool was closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// The name of the pool, as in [`Stats`](super::Stats).
    pub pool: String,
    /// Connections that were closed in time.
    pub closed: usize,
    /// Connections that were still in use when the time was up: they end with the process.
    pub aborted: usize,
    /// The places in the code that hold these, and for how long.
    pub holders: Vec<(String, Duration)>,
    /// How long it took.
    pub took: Duration,
}

impl CloseReport {
    /// The report of another library's pool, whose connections are not counted here.
    pub(in crate::db) fn of_adopted(pool: String, closed: bool, took: Duration) -> Self {
        let drained = Self { pool, aborted: usize::from(!closed), took, ..Self::default() };
        drained.log();
        drained
    }

    fn log(&self) {
        if self.aborted == 0 {
            tracing::debug!("{self}");
        } else {
            tracing::warn!("{self}");
        }
    }
}

impl fmt::Display for CloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool, closed, aborted, holders, took } = self;
        write!(
            f,
            "database {pool}: {closed} connections closed in {:.1} s, {aborted} still in use",
            took.as_secs_f64()
        )?;
        for (place, held) in holders {
            write!(f, "; held at {place} for {:.1} s", held.as_secs_f64())?;
        }
        Ok(())
    }
}

impl<C: Connect> Pool<C> {
    /// Closes the pool: callers that wait are refused at once, idle connections say goodbye, those in use are
    /// waited for until `within` is over.
    pub(in crate::db) async fn close(self: &Arc<Self>, within: Duration) -> CloseReport {
        let begun = Instant::now();
        let open = self.open();
        self.closed.store(true, Ordering::SeqCst);
        self.bell.notify_waiters();
        let everything = async {
            let mut goodbyes = Vec::new();
            while let Ok(entry) = self.idle.try_remove() {
                self.counts.closed(Reason::Drained);
                goodbyes.push(async move {
                    let Entry { connection, permit, .. } = *entry;
                    connection.goodbye().await;
                    drop(permit);
                });
            }
            join_all(goodbyes).await;
            let size = u32::try_from(self.size()).unwrap_or(u32::MAX);
            let _ = self.budget.acquire_many(size).await;
        };
        let _ = tokio::time::timeout(within, everything).await;
        let holders = self.holders();
        let drained = CloseReport {
            pool: self.name.clone(),
            closed: open.saturating_sub(holders.len()),
            aborted: holders.len(),
            holders: holders.iter().map(Holder::told).collect(),
            took: begun.elapsed(),
        };
        drained.log();
        drained
    }

    /// Closes what became idle while the pool was being closed.
    pub(super) fn clear_if_closed(&self) {
        if self.is_closed() {
            while let Ok(entry) = self.idle.try_remove() {
                self.counts.closed(Reason::Drained);
                drop(entry);
            }
        }
    }
}
