//! A counter of the moments at which a process may have been frozen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A counter that a serverless adapter advances per invocation: two equal readings prove that the
/// process was not frozen in between.
///
/// On a long-running host it stays at zero.
#[derive(Clone, Debug, Default)]
pub struct Epoch(Arc<State>);

#[derive(Debug, Default)]
struct State {
    count: AtomicU64,
    /// Nanoseconds that a test has let pass in freezes.
    frozen: AtomicU64,
}

impl Epoch {
    /// The current epoch.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.0.count.load(Ordering::Acquire)
    }

    /// Starts a new epoch: from here on, nothing proven in an earlier one counts.
    pub fn advance(&self) {
        self.0.count.fetch_add(1, Ordering::AcqRel);
    }

    /// Lets time pass as in a freeze: the clocks of everything that belongs to this host advance by this much, without a
    /// wait. For tests that play a serverless host; an adapter does not need it, since real clocks go on.
    pub fn freeze(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.frozen.fetch_add(nanoseconds, Ordering::AcqRel);
    }

    /// The time that [`freeze`](Self::freeze) has let pass.
    #[cfg(feature = "db")]
    pub(crate) fn frozen(&self) -> Duration {
        Duration::from_nanos(self.0.frozen.load(Ordering::Relaxed))
    }
}
