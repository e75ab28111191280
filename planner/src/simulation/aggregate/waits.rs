//! What the requests of one process wait for processors and connections, by its load.
//!
//! Erlang's formulas know one station at a time. Here a request comes back to the first one and keeps the second meanwhile,
//! and a quota throttles both at once: the waits depend on each other. A short simulation of one process knows that.

use crate::Random;
use crate::simulation::Nanos;
use crate::simulation::events::Events;
use crate::simulation::parts::{Parts, RequestTimes};
use crate::simulation::quota::Bucket;
use crate::simulation::station::Station;
use crate::workload::Distribution;

/// The loads that are simulated, as shares of what the process can carry.
const LOADS: [f64; 19] = [
    0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.05, 1.2, 1.5, 2.0, 3.0,
    5.0,
];

/// The share of its capacity at which a station is simulated at most: a queue before it grows for ever at more.
const SETTLED: f64 = 0.95;

/// Requests that are simulated at up to half a load. A busy process forgets slowly, so that there it takes more.
const REQUESTS: f64 = 100_000.0;

/// Quantiles kept of the latencies.
const QUANTILES: usize = 1000;

/// Requests of a block whose most connections in use are kept.
const BLOCK: usize = 50;

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
    fn highest(&self) -> f64 {
        let bound = (self.parts.can_begin() / self.can() * SETTLED).max(0.98);
        bound.min(LOADS[LOADS.len() - 1])
    }
}

/// The latency of one request and what of it is waiting, in seconds. A long request waits for longer where a quota throttles
/// it, so that the two are kept together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latency {
    pub(super) whole: f64,
    pub(super) waited: f64,
}

/// The waits at one load.
#[derive(Clone, Debug)]
struct Row {
    /// Of answered requests.
    quantiles: Vec<Latency>,
    /// The mean wait, in seconds.
    mean: f64,
    /// The share of requests that got no connection in time.
    refused: f64,
    /// How long a request has its connection on average, in seconds.
    held: f64,
    /// The most connections in use within each block of requests, in order.
    peaks: Vec<usize>,
}

/// The waits of a process at every load; each is simulated when it is first needed.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitTable {
    rows: [Option<Box<Row>>; LOADS.len()],
}

/// The waits at a load between two that were simulated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits<'a> {
    below: &'a Row,
    above: &'a Row,
    weight: f64,
    /// What is answered at this load, as a share of what is at the highest one that is simulated.
    beyond: f64,
}

impl WaitTable {
    /// The waits at a rate of requests a second.
    pub(super) fn at(&mut self, process: &Process<'_>, rate: f64) -> Waits<'_> {
        let highest = process.highest();
        let offered = rate / process.can();
        let load = offered.clamp(LOADS[0], highest);
        let above = LOADS.iter().position(|known| *known >= load).unwrap_or(LOADS.len() - 1);
        let below = above.saturating_sub(1);
        let known = |index: usize| LOADS[index].min(highest);
        for index in [below, above] {
            self.rows[index].get_or_insert_with(|| Box::new(Row::at(process, known(index))));
        }
        // A queue grows as 1 / (1 - load).
        let grown = |load: f64| if known(above) < 1.0 { 1.0 / (1.0 - load) } else { load };
        let [low, high, load] = [known(below), known(above), load].map(grown);
        let weight = if high > low { (load - low) / (high - low) } else { 1.0 };
        let row = |index: usize| self.rows[index].as_deref().expect("simulated above");
        let beyond = if offered > highest && highest > 1.0 { highest / offered } else { 1.0 };
        Waits { below: row(below), above: row(above), weight, beyond }
    }
}

impl Waits<'_> {
    fn between(&self, of: impl Fn(&Row) -> f64) -> f64 {
        of(self.below) * (1.0 - self.weight) + of(self.above) * self.weight
    }

    /// One request.
    pub(super) fn sample(&self, random: &mut Random) -> Latency {
        let place = random.uniform() * QUANTILES as f64;
        let index = (place as usize).min(QUANTILES - 1);
        // The same quantile at both loads: a mixture of the two would have the tail of the higher one.
        let of = |part: fn(&Latency) -> f64| {
            self.between(|row| {
                let (low, high) = (part(&row.quantiles[index]), part(&row.quantiles[index + 1]));
                low + (high - low) * (place - index as f64)
            })
        };
        Latency { whole: of(|latency| latency.whole), waited: of(|latency| latency.waited) }
    }

    pub(super) fn mean(&self) -> f64 {
        self.between(|row| row.mean)
    }

    pub(super) fn refused(&self) -> f64 {
        1.0 - (1.0 - self.between(|row| row.refused)) * self.beyond
    }

    pub(super) fn held(&self) -> f64 {
        self.between(|row| row.held)
    }

    /// The most connections in use among so many requests, for a uniform number: a power of it, since all blocks of them
    /// have to stay below.
    pub(super) fn peak(&self, requests: f64, uniform: f64) -> u64 {
        let within = uniform.powf(BLOCK as f64 / requests.max(1.0));
        let most = self.between(|row| {
            let many = row.peaks.len();
            row.peaks[((within * many as f64) as usize).min(many - 1)] as f64
        });
        // A pool is smaller than 2^53.
        most.round() as u64
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

impl Row {
    fn at(process: &Process<'_>, load: f64) -> Self {
        let Process { parts, service, pool, stages } = *process;
        let rate = load * process.can();
        // Up to three times as many.
        let requests = (REQUESTS * (0.5 / (1.0 - load).abs()).clamp(1.0, 3.0)) as usize;
        let mut random = Random::new(0x7761_6974);
        let mut run = Run {
            process,
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
            } else if (number - first) % BLOCK == 0 {
                peaks.push(std::mem::replace(&mut run.most, run.pool.busy));
            }
            let times = parts.times_of(service.sample(&mut random));
            run.compute_next(came, Request { waited: 0.0, times, queried: false });
        }
        peaks.push(run.most);
        peaks.sort_unstable();
        let Run { mut answered, refused, held, .. } = run;
        answered.sort_by(|a, b| a.whole.total_cmp(&b.whole));
        let (many, last) = (answered.len().max(1) as f64, answered.len().saturating_sub(1));
        let at = |step: usize| answered.get(step * last / QUANTILES).copied().unwrap_or_default();
        Self {
            mean: answered.iter().map(|latency| latency.waited).sum::<f64>() / many,
            refused: refused as f64 / (many + refused as f64),
            held: held / many,
            quantiles: (0..=QUANTILES).map(at).collect(),
            peaks,
        }
    }
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
