//! One timer for deadlines that mostly are gone before they come.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

/// A timer that is set when a deadline is waited for first, and moved later only when it fires.
#[derive(Debug, Default)]
pub(crate) struct Deadline(Option<(Instant, Pin<Box<Sleep>>)>);

impl Deadline {
    /// Ready when the deadline is over. Pending means that the task wakes at the deadline or before it.
    pub(crate) fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let Some((set, sleep)) = &mut self.0 else {
            let mut sleep = Box::pin(tokio::time::sleep_until(deadline.into()));
            let outcome = sleep.as_mut().poll(cx);
            self.0 = Some((deadline, sleep));
            return outcome;
        };
        // The task may be another one than the last time: its waker is registered each time.
        if *set <= deadline && sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        sleep.as_mut().reset(deadline.into());
        *set = deadline;
        sleep.as_mut().poll(cx)
    }
}
