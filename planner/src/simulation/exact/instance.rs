//! One process that answers many requests at once: processors, a pool of connections, a queue before each.

use crate::simulation::Nanos;
use crate::simulation::parts::RequestTimes;
use crate::simulation::quota::Bucket;
use crate::simulation::station::Station;

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) came: Nanos,
    /// What it has waited so far, in seconds.
    pub(crate) waited: f64,
    /// What it waited for its environment to start, in seconds.
    pub(crate) start: f64,
    pub(crate) times: RequestTimes,
    /// Whether its query is answered.
    pub(crate) queried: bool,
    /// The quota of the thread it computes on.
    pub(crate) bucket: Bucket,
    /// Whether a provisioned environment answers it.
    pub(crate) provisioned: bool,
}

impl Request {
    /// The seconds that it takes without any queue, with this share of a processor.
    pub(crate) fn own_time(&self, share: f64) -> f64 {
        let RequestTimes { database, elsewhere, .. } = self.times;
        self.start + self.times.processor() / share + database + elsewhere
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
