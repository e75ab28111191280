//! One process that answers many requests at once: processors, a pool of connections, a queue before each.

use std::collections::VecDeque;

use crate::simulation::Nanos;

/// A request on its way through an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) came: Nanos,
    /// When it began to wait where it waits now.
    pub(crate) queued: Nanos,
    /// What it has waited so far, in seconds.
    pub(crate) waited: f64,
    pub(crate) processor: f64,
    pub(crate) database: f64,
    pub(crate) elsewhere: f64,
}

/// Something that so many requests can use at once, with a queue before it.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) servers: usize,
    pub(crate) busy: usize,
    queue: VecDeque<Request>,
}

impl Station {
    pub(crate) fn new(servers: usize) -> Self {
        Self { servers, busy: 0, queue: VecDeque::new() }
    }

    /// Takes a place for a request, which comes back, or keeps it waiting.
    pub(crate) fn enter(&mut self, now: Nanos, mut request: Request) -> Option<Request> {
        if self.busy < self.servers {
            self.busy += 1;
            return Some(request);
        }
        request.queued = now;
        self.queue.push_back(request);
        None
    }

    /// Gives a place back. The next in the queue takes it; those who waited too long come first and without one.
    pub(crate) fn leave(
        &mut self,
        now: Nanos,
        patience: f64,
        mut gave_up: impl FnMut(Request),
    ) -> Option<Request> {
        self.busy -= 1;
        while let Some(mut request) = self.queue.pop_front() {
            let waited = now.since(request.queued);
            if waited > patience {
                gave_up(request);
                continue;
            }
            request.waited += waited;
            self.busy += 1;
            return Some(request);
        }
        None
    }
}

/// One process.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) ready: bool,
    pub(crate) processors: Station,
    pub(crate) pool: Station,
    pub(crate) in_flight: usize,
    /// When the time began that is billed as one, and how much of it has been billed, in seconds.
    pub(crate) active_since: Nanos,
    pub(crate) billed: f64,
    /// Open connections, and the most that were used lately: now, and in the stretch before.
    pub(crate) open: usize,
    pub(crate) used: [usize; 2],
}

impl Instance {
    pub(crate) fn new(servers: usize, pool: usize) -> Self {
        Self {
            ready: false,
            processors: Station::new(servers),
            pool: Station::new(pool),
            in_flight: 0,
            active_since: Nanos(0),
            billed: 0.0,
            open: 0,
            used: [0, 0],
        }
    }
}
