//! Whole responses that a client of HTTP/2 leaves in memory, and the bound on them.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard, watch};

/// Bytes of whole responses that a client may leave untaken before its next requests wait.
const MAX_UNTAKEN: usize = 16 * 1024 * 1024;

/// Bytes of whole responses that the client has not taken.
#[derive(Default)]
pub(crate) struct Untaken {
    bytes: watch::Sender<usize>,
    /// Held by the one request that is asked next once the client has taken enough.
    turn: Arc<Mutex<()>>,
}

impl Untaken {
    /// Waits until the client has taken enough of its earlier responses. Requests that had to wait are asked one at a
    /// time: each holds the guard until its response is known.
    pub(crate) async fn turn(&self) -> Option<OwnedMutexGuard<()>> {
        let enough = |untaken: &usize| *untaken < MAX_UNTAKEN;
        if enough(&self.bytes.borrow()) {
            return None;
        }
        let turn = Arc::clone(&self.turn).lock_owned().await;
        // The sender lives in `self`, so this cannot fail.
        let _ = self.bytes.subscribe().wait_for(enough).await;
        Some(turn)
    }

    /// A whole response of so many bytes waits for the client.
    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.send_modify(|untaken| *untaken += bytes);
    }

    /// The client has taken so many bytes of a whole response, or gets no more of it.
    pub(crate) fn remove(&self, bytes: usize) {
        self.bytes.send_modify(|untaken| *untaken -= bytes);
    }
}
