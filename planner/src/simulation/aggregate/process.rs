//! One process at a constant load, request by request.

use crate::Random;
use crate::simulation::Nanos;
use crate::simulation::events::Events;
use crate::simulation::parts::{Parts, RequestTimes};
use crate::simulation::quota::Bucket;
use crate::simulation::station::Station;
use crate::workload::Distribution;

/// The share of its capacity at which a station is simulated at most: a queue before it grows for ever at more.
const SETTLED: f64 = 0.95;

/// Requests that are simulated at up to half a load. A busy process forgets slowly, so that there it takes more.
const REQUESTS: f64 = 40_000.0;

/// The highest load that is simulated, as a share of what a process can carry.
pub(super) const HIGHEST: f64 = 5.0;

/// Quantiles kept of the latencies.
pub(super) const QUANTILES: usize = 1000;

/// Requests of a block whose most connections in use are kept.
pub(super) const BLOCK: usize = 50;

/// The latency of one request and what of it is waiting, in seconds. A long request waits for longer if a quota throttles
/// it, so that the two are kept together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latency {
    pub(super) whole: f64,
    pub(super) waited: f64,
}

/// The waits at one load.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Of answered requests.
    pub(super) quantiles: Vec<Latency>,
    /// The mean wait, in seconds.
    pub(super) mean: f64,
    /// The share of requests that got no connection in time.
    pub(super) refused: f64,
    /// How long a request has its connection on average, in seconds.
    pub(super) held: f64,
    /// The most connections in use within each block of requests, in order.
    pub(super) peaks: Vec<u32>,
}

/// A process: what it does for requests, and how evenly they are dealt to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process<'a> {
    pub(super) parts: &'a Parts,
    pub(super) service: &'a Distribution,
    /// Connections, and how long a request waits for one, in seconds.
    pub(super) pool: Option<(usize, f64)>,
    /// Arrivals are the sum of so many exponential times: 1 for random ones, more if a balancer deals in turn.
    pub(super) stages: usize,
}

impl Process<'_> {
    /// The most requests a second that are answered.
    pub(super) fn can(&self) -> f64 {
        let Parts { database, service, .. } = *self.parts;
        let pool = self.pool.map_or(f64::INFINITY, |(size, _)| size as f64);
        self.parts.can().min(pool / (database * service).max(1e-9))
    }

    /// The highest load that is simulated. The requests for which there is no connection give up waiting, but all of them
    /// compute before.
    pub(super) fn highest(&self) -> f64 {
        let bound = (self.parts.can_begin() / self.can() * SETTLED).max(0.98);
        bound.min(HIGHEST)
    }

    /// Simulates it at a load.
    pub(super) fn waits(&self, load: f64) -> Row {
        let Process { parts, service, pool, stages } = *self;
        let rate = load * self.can();
        // Up to three times as many.
        let requests = (REQUESTS * (0.5 / (1.0 - load).abs()).clamp(1.0, 3.0)) as usize;
        let mut random = Random::new(0x7761_6974);
        let mut run = Run {
            process: self,
            events: Events::new(),
            processors: Station::new(parts.servers),
            buckets: vec![Bucket::default(); parts.servers],
            pool: Station::new(pool.map_or(usize::MAX, |(size, _)| size)),
            answered: Vec::with_capacity(requests),
            refused: 0,
            held: 0.0,
            most: 0,
        };
        let (mut now, mut peaks) = (0.0, Vec::with_capacity(requests / BLOCK));
        // What comes first fills the process up, and does not count.
        let first = requests / 20;
        for number in 0..first + requests {
            let passed: f64 = (0..stages).map(|_| random.exponential()).sum();
            now += passed / (rate * stages as f64);
            let came = Nanos::from_seconds(now);
            while run.events.next_at().is_some_and(|at| at <= came) {
                run.step();
            }
            if number <= first {
                (run.refused, run.held, run.most) = (0, 0.0, run.pool.busy);
                run.answered.clear();
            } else if (number - first).is_multiple_of(BLOCK) {
                peaks.push(std::mem::replace(&mut run.most, run.pool.busy) as u32);
            }
            let times = parts.times_of(service.sample(&mut random));
            run.compute_next(came, Request { waited: 0.0, times, queried: false });
        }
        peaks.push(run.most as u32);
        peaks.sort_unstable();
        let Run { mut answered, refused, held, .. } = run;
        answered.sort_by(|a, b| a.whole.total_cmp(&b.whole));
        let (many, last) = (answered.len().max(1) as f64, answered.len().saturating_sub(1));
        let at = |step: usize| answered.get(step * last / QUANTILES).copied().unwrap_or_default();
        Row {
            mean: answered.iter().map(|latency| latency.waited).sum::<f64>() / many,
            refused: refused as f64 / (many + refused as f64),
            held: held / many,
            quantiles: (0..=QUANTILES).map(at).collect(),
            peaks,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Request {
    waited: f64,
    times: RequestTimes,
    queried: bool,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Computed(Request, Bucket),
    Queried(Request),
}

/// One process, request by request.
struct Run<'a> {
    process: &'a Process<'a>,
    events: Events<Event>,
    processors: Station<Request>,
    buckets: Vec<Bucket>,
    pool: Station<Request>,
    answered: Vec<Latency>,
    refused: usize,
    /// Seconds with a connection.
    held: f64,
    most: usize,
}

impl Run<'_> {
    fn step(&mut self) {
        match self.events.pop() {
            Some((now, Event::Computed(request, bucket))) => self.computed(now, request, bucket),
            Some((now, Event::Queried(request))) => {
                self.compute_next(now, Request { queried: true, ..request });
            }
            None => {}
        }
    }

    fn compute_next(&mut self, now: Nanos, request: Request) {
        if let Some(request) = self.processors.enter(now, request) {
            self.compute(now, request);
        }
    }

    fn compute(&mut self, now: Nanos, mut request: Request) {
        let demand = if request.queried {
            self.release(now);
            request.times.after
        } else {
            request.times.before
        };
        let mut bucket = self.buckets.pop().unwrap_or_default();
        let taken = bucket.run(self.process.parts.quota, now.seconds(), demand);
        request.waited += taken - demand;
        self.events.add(now.after(taken), Event::Computed(request, bucket));
    }

    fn computed(&mut self, now: Nanos, request: Request, bucket: Bucket) {
        self.buckets.push(bucket);
        if let Some((mut next, waited)) = self.processors.leave(now, f64::INFINITY, |_| ()) {
            next.waited += waited;
            self.held += if next.queried { waited } else { 0.0 };
            self.compute(now, next);
        }
        if request.queried || request.times.database == 0.0 {
            let RequestTimes { database, elsewhere, .. } = request.times;
            let own = request.times.processor() + database + elsewhere;
            self.answered.push(Latency { whole: request.waited + own, waited: request.waited });
        } else if let Some(request) = self.pool.enter(now, request) {
            self.query(now, request);
        }
    }

    fn query(&mut self, now: Nanos, request: Request) {
        self.held += request.times.database;
        self.most = self.most.max(self.pool.busy);
        self.events.add(now.after(request.times.database), Event::Queried(request));
    }

    fn release(&mut self, now: Nanos) {
        let acquire = self.process.pool.map_or(f64::INFINITY, |(_, acquire)| acquire);
        let refused = &mut self.refused;
        if let Some((mut next, waited)) = self.pool.leave(now, acquire, |_| *refused += 1) {
            next.waited += waited;
            self.query(now, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::Waiting;

    /// Without a query a process is M/M/c, whose mean wait is Erlang's.
    #[test]
    fn a_process_without_queries_waits_as_erlang_says() {
        let service = Distribution::Exponential(0.02);
        for (servers, load) in [(1, 0.5), (1, 0.8), (4, 0.7)] {
            let parts = Parts {
                servers,
                share: 1.0,
                quota: None,
                processor: 1.0,
                before: 1.0,
                database: 0.0,
                elsewhere: 0.0,
                service: 0.02,
                variability: (1.0, 1.0),
                constant: false,
                limit: f64::INFINITY,
                client_first: false,
            };
            let process = Process { parts: &parts, service: &service, pool: None, stages: 1 };
            let rate = load * process.can();
            assert!((rate - load * servers as f64 / 0.02).abs() < 1e-9);
            let wanted = Waiting::at(servers, rate, 0.02, 1.0, 1.0).overall();
            let found = process.waits(load).mean;
            assert!(
                (found / wanted - 1.0).abs() < 0.05,
                "{servers} × {load}: {found} for {wanted}"
            );
        }
    }
}
