//! One timer for deadlines that mostly are gone before they come.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep_until};

/// A timer that is set when a deadline is waited for first, and moved later only when it fires.
#[derive(Debug, Default)]
pub(crate) struct Deadline(Option<Timer>);

/// It is registered with a task once, which takes 2 % less of a hello's processor time than at every poll (25 pairs).
#[derive(Debug)]
struct Timer {
    set: Instant,
    sleep: Pin<Box<Sleep>>,
    /// The task that it wakes.
    task: Option<Waker>,
}

impl Deadline {
    /// Ready when the deadline is over. Pending means that the task wakes at the deadline or before it.
    pub(crate) fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Timer {
            set: deadline,
            sleep: Box::pin(sleep_until(deadline.into())),
            task: None,
        });
        loop {
            let fired = timer.sleep.is_elapsed();
            if timer.set > deadline || (fired && timer.set < deadline) {
                timer.sleep.as_mut().reset(deadline.into());
                (timer.set, timer.task) = (deadline, None);
            } else if fired {
                return Poll::Ready(());
            } else if timer.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            // Unconstrained: else a task without budget would not be registered.
            let _ = pin!(unconstrained(timer.sleep.as_mut())).poll(cx);
            timer.task = Some(cx.waker().clone());
        }
    }
}
