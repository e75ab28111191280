//! A server that takes no writes any more: a connection beside the pool looks for one that does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::Pool;
use super::queue::Joined;
use crate::db::connect::{Connect, Connection};

/// The pause between two searches for a writer.
const PAUSE: Duration = Duration::from_millis(500);

impl<C: Connect> Pool<C> {
    /// Looks for a server that takes writes behind the name of the one that has refused one; if there is one,
    /// connections to others are not used again.
    ///
    /// One search at a time, on a connection beside the pool's, as a migration has one.
    pub(super) fn look_for_writer(self: &Arc<Self>) {
        if self.is_closed() || self.looks_for_writer.swap(true, Ordering::AcqRel) {
            return;
        }
        let weak = Arc::downgrade(self);
        self.runtime.spawn(async move {
            if let Some(pool) = weak.upgrade() {
                pool.find_writer().await;
            }
            tokio::time::sleep(PAUSE).await;
            if let Some(pool) = weak.upgrade() {
                pool.looks_for_writer.store(false, Ordering::Release);
            }
        });
    }

    async fn find_writer(self: &Arc<Self>) {
        let generation = self.generation();
        let Ok(opened) = self.connector.connect(None).await else { return };
        let writes = opened.takes_writes();
        opened.goodbye().await;
        if writes && !self.takes_writes().await {
            tracing::warn!(
                "the database has another server for writes: connections are opened anew"
            );
            self.retire(generation);
        }
    }

    /// Whether the pool's connections can write, asked on the next idle one. If none becomes idle in time they count
    /// as able to: the next refused write starts another search.
    async fn takes_writes(self: &Arc<Self>) -> bool {
        let until = Instant::now() + self.plan.acquire_timeout();
        let mut guard = match self.join(until, usize::MAX) {
            Joined::Idle(guard) => guard,
            Joined::Waits(wait) => match wait.await {
                Ok((guard, _)) => guard,
                Err(_) => return true,
            },
            Joined::Full => return true,
        };
        let asks = guard.takes_writes_now();
        tokio::time::timeout(self.plan.ping_timeout(), asks).await.unwrap_or(false)
    }
}
