//! The one deadline of a request, visible to everything that works for it.

use std::future::Future;
use std::time::{Duration, Instant};

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs a future under a deadline: whatever it awaits can ask [`remaining`] how long it may still take.
///
/// An inner deadline never extends an outer one. Nothing is cancelled here: who waits for something
/// decides what to do when the time is up.
pub async fn within<F: Future>(deadline: Instant, future: F) -> F::Output {
    let deadline = current().map_or(deadline, |outer| outer.min(deadline));
    DEADLINE.scope(deadline, future).await
}

/// The time left until the deadline of the current request: `None` where there is no deadline.
#[must_use]
pub fn remaining() -> Option<Duration> {
    current().map(|deadline| deadline.saturating_duration_since(Instant::now()))
}

/// The deadline of the current request.
pub(crate) fn current() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_inner_deadline_never_extends_an_outer_one() {
        let now = Instant::now();
        let soon = now + Duration::from_secs(1);
        let late = now + Duration::from_secs(60);
        assert_eq!(within(soon, within(late, async { current() })).await, Some(soon));
        assert_eq!(within(late, within(soon, async { current() })).await, Some(soon));
        assert_eq!(current(), None);
    }
}
