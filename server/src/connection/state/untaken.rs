//! Whole responses that a client of HTTP/2 leaves in memory, and the bound on them.

use tokio::sync::watch;

/// Bytes of whole responses that a client may leave untaken before its next requests wait.
const MAX_UNTAKEN: usize = 16 * 1024 * 1024;

/// Bytes of whole responses that the client has not taken.
#[derive(Default)]
pub(crate) struct Untaken(watch::Sender<usize>);

impl Untaken {
    /// Waits until the client has taken enough of its earlier responses.
    pub(crate) async fn turn(&self) {
        let enough = |untaken: &usize| *untaken < MAX_UNTAKEN;
        if !enough(&self.0.borrow()) {
            // The sender lives in `self`, so this cannot fail.
            let _ = self.0.subscribe().wait_for(enough).await;
        }
    }

    /// A whole response of so many bytes waits for the client.
    pub(crate) fn add(&self, bytes: usize) {
        self.0.send_modify(|untaken| *untaken += bytes);
    }

    /// The client has taken so many bytes of a whole response, or gets no more of it.
    pub(crate) fn remove(&self, bytes: usize) {
        self.0.send_modify(|untaken| *untaken -= bytes);
    }
}
