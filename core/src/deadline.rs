//! The one deadline of a request, visible to everything that works for it.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::http::Current;

/// Runs a future under a deadline: whatever it awaits can ask [`remaining`] how long it may still take.
///
/// An inner deadline never extends an outer one. Nothing is cancelled here: the code that waits decides
/// what to do when the time is up.
pub async fn within<F: Future>(deadline: Instant, future: F) -> F::Output {
    Current::get().with_deadline(Some(deadline)).scope(future).await
}

/// The time left until the deadline of the current request: `None` if there is no deadline.
#[must_use]
pub fn remaining() -> Option<Duration> {
    current().map(|deadline| deadline.saturating_duration_since(Instant::now()))
}

/// The deadline of the current request.
pub(crate) fn current() -> Option<Instant> {
    Current::deadline()
}

/// This time, or the deadline of the current request if that is earlier.
#[cfg(feature = "db")]
pub(crate) fn at_most(until: tokio::time::Instant) -> tokio::time::Instant {
    current().map_or(until, |deadline| until.min(deadline.into()))
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

    #[tokio::test]
    async fn a_deadline_leaves_the_request_and_a_request_leaves_the_deadline() {
        let soon = Instant::now() + Duration::from_secs(1);
        let id = || crate::Context::current().map(|context| context.request_id().to_owned());
        let context = crate::Context::new("r-1");
        let seen = context.clone().within(within(soon, async { (id(), current()) })).await;
        assert_eq!(seen, (Some("r-1".into()), Some(soon)));
        let seen = within(soon, context.within(async { (id(), current()) })).await;
        assert_eq!(seen, (Some("r-1".into()), Some(soon)));
    }
}
