//! Something that so many can use at once, with a queue before it.

use std::collections::VecDeque;

use super::Nanos;

/// Something that so many can use at once, with a queue before it.
#[derive(Debug)]
pub(crate) struct Station<T> {
    servers: usize,
    pub(crate) busy: usize,
    queue: VecDeque<(Nanos, T)>,
}

impl<T> Station<T> {
    pub(crate) fn new(servers: usize) -> Self {
        Self { servers, busy: 0, queue: VecDeque::new() }
    }

    /// Takes a place and gives the customer back, or keeps it waiting.
    pub(crate) fn enter(&mut self, now: Nanos, customer: T) -> Option<T> {
        if self.busy < self.servers {
            self.busy += 1;
            return Some(customer);
        }
        self.queue.push_back((now, customer));
        None
    }

    /// Gives a place back. Returns the next in the queue, which takes the place, and what it waited in seconds. Those
    /// that waited longer than `patience` give up instead.
    pub(crate) fn leave(
        &mut self,
        now: Nanos,
        patience: f64,
        mut gave_up: impl FnMut(T),
    ) -> Option<(T, f64)> {
        self.busy -= 1;
        while let Some((since, customer)) = self.queue.pop_front() {
            let waited = now.since(since);
            if waited > patience {
                gave_up(customer);
                continue;
            }
            self.busy += 1;
            return Some((customer, waited));
        }
        None
    }
}
