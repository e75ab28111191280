//! A caller that waits, counted until it is dropped.

use std::sync::atomic::{AtomicUsize, Ordering};

/// One of the callers that a count tells of.
#[derive(Debug)]
pub(super) struct Waiter<'c> {
    count: &'c AtomicUsize,
    /// The number of waiters when it arrived, including this one.
    pub(super) number: usize,
}

impl<'c> Waiter<'c> {
    pub(super) fn join(count: &'c AtomicUsize) -> Self {
        Self { count, number: count.fetch_add(1, Ordering::SeqCst) + 1 }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}
