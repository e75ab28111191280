//! One process that answers many requests at once: processors, a pool of connections, a queue before each.

use std::collections::VecDeque;

use crate::simulation::Nanos;
use crate::simulation::quota::Bucket;

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) came: Nanos,
    /// What it has waited so far, in seconds.
    pub(crate) waited: f64,
    /// What it waited for its environment to start, in seconds.
    pub(crate) start: f64,
    /// Seconds of processor at full speed.
    pub(crate) processor: f64,
    /// Seconds with a connection.
    pub(crate) database: f64,
    pub(crate) elsewhere: f64,
    /// The quota of the thread it computes on.
    pub(crate) bucket: Bucket,
    /// Whether a provisioned environment answers it.
    pub(crate) provisioned: bool,
}

impl Request {
    /// The seconds that it takes without any queue, with this share of a processor.
    pub(crate) fn own_time(&self, share: f64) -> f64 {
        self.start + self.processor / share + self.database + self.elsewhere
    }
}

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

/// One process.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) ready: bool,
    pub(crate) processors: Station<Request>,
    /// The quotas of threads that compute nothing now.
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) pool: Station<Request>,
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
            buckets: vec![Bucket::default(); servers],
            pool: Station::new(pool),
            in_flight: 0,
            active_since: Nanos(0),
            billed: 0.0,
            open: 0,
            used: [0, 0],
        }
    }
}
