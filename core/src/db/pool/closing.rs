//! Closing a pool, and the report of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool::unmanaged::Object;
use futures_util::future::join_all;
use tokio::time::Instant;

use super::Pool;
use super::counts::Reason;
use super::entry::{Entry, Holder};
use crate::databases::CloseReport;
use crate::db::connect::{Connect, Connection};

impl<C: Connect> Pool<C> {
    /// Closes the pool: callers that wait are refused at once, idle connections say goodbye, those in use are
    /// waited for until `within` is over.
    pub(in crate::db) async fn close(self: &Arc<Self>, within: Duration) -> CloseReport {
        let begun = Instant::now();
        let open = self.open();
        self.closed.store(true, Ordering::SeqCst);
        // From here on a connection that comes back is closed.
        self.queue.close();
        let mut goodbyes = Vec::new();
        while let Some(entry) = self.queue.pop() {
            self.counts.closed(Reason::Drained);
            goodbyes.push(async move {
                let Entry { connection, permit, .. } = *Object::take(entry);
                connection.goodbye().await;
                drop(permit);
            });
        }
        let everything = async {
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
            holders: holders.iter().map(Holder::summary).collect(),
            took: begun.elapsed(),
        };
        drained.log();
        drained
    }
}
