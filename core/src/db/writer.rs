//! A server that takes no writes: another is looked for behind the same name, while readers go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::conn::Conn;
use super::driver::Driver;
use super::pool::Pool;

/// How long a look for a writer keeps the next one from beginning.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether a writer is being looked for.
#[derive(Debug, Default)]
pub(super) struct Search(AtomicBool);

impl<DB: Driver> Pool<DB> {
    /// Looks for a server that takes writes behind the name of the one that has refused one; where there is one,
    /// connections to others are not used again.
    ///
    /// One look at a time, by a connection beside the pool's, as a migration has one.
    pub(super) fn look_for_writer(self: &Arc<Self>) {
        if self.is_closed() || self.search.0.swap(true, Ordering::AcqRel) {
            return;
        }
        let weak = Arc::downgrade(self);
        self.connector.home().spawn(async move {
            if let Some(pool) = weak.upgrade() {
                pool.leave_readers_for_a_writer().await;
            }
            tokio::time::sleep(PAUSE).await;
            if let Some(pool) = weak.upgrade() {
                pool.search.0.store(false, Ordering::Release);
            }
        });
    }

    async fn leave_readers_for_a_writer(self: &Arc<Self>) {
        let generation = self.generation.load(Ordering::Acquire);
        let Ok(opened) = self.connector.attempt(&self.plan, None).await else { return };
        let writes = !opened.admission.read_only;
        let _ = sqlx::Connection::close(opened.connection).await;
        if writes && self.is_reader().await {
            tracing::warn!(
                "the database has another server for writes: connections are opened anew"
            );
            self.renew(generation);
        }
    }

    /// Whether the connections that there are cannot write, as far as an idle one knows.
    async fn is_reader(self: &Arc<Self>) -> bool {
        let Some(lent) = self.idle() else { return true };
        let mut conn = Conn::new(lent);
        let asks = conn.is_read_only();
        !matches!(tokio::time::timeout(self.plan.ping(), asks).await, Ok(Ok(false)))
    }
}
