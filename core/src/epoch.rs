//! A counter of the moments at which a process may have been frozen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that a serverless adapter advances per invocation: two equal readings prove that the
/// process was not frozen in between.
///
/// On a long-running host it stays at zero.
#[derive(Clone, Debug, Default)]
pub struct Epoch(Arc<AtomicU64>);

impl Epoch {
    /// The current epoch.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Starts a new epoch: from here on, nothing proven in an earlier one counts.
    pub fn advance(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}
