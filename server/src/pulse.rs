//! Whether the threads of a server still work, for a watchdog.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use crate::worker::Workers;

/// The sign of life of one server, asked for by who would replace it.
///
/// A clone asks the same server.
#[derive(Clone, Default)]
pub struct Pulse(Arc<OnceLock<Weak<Workers>>>);

impl Pulse {
    pub(crate) fn begin(&self, workers: &Arc<Workers>) {
        // A server runs once.
        let _ = self.0.set(Arc::downgrade(workers));
    }

    /// Whether every thread that serves connections answers: each is asked through its own runtime, behind
    /// whatever stands in line there. While one is blocked this waits.
    ///
    /// A server that has not begun to serve has nothing that could be blocked; one that has ended, or of
    /// which a thread has ended, does not answer.
    pub async fn answers(&self) -> bool {
        match self.0.get().map(Weak::upgrade) {
            None => true,
            Some(None) => false,
            Some(Some(workers)) => workers.answer().await,
        }
    }
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulse").field("begun", &self.0.get().is_some()).finish()
    }
}
