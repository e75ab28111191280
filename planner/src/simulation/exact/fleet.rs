//! Instances that answer many requests at once, request by request.
//! Long because the events of one loop belong together: each is a few lines on the same state.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::instance::{Instance, Request};
use crate::Random;
use crate::model::{Balancing, Fleet};
use crate::simulation::Nanos;
use crate::simulation::nodes::Starts;
use crate::simulation::recorder::Recorder;
use crate::simulation::run::{Deploys, Parts, Setup};
use crate::simulation::scaler::{Scaler, Seen};
use crate::traffic::Arrivals;

/// A request is given to an instance, waits for a processor, then for a connection, and leaves.
pub(crate) fn fleet(setup: &Setup<'_>, model: &Fleet) -> Recorder {
    let mut run = Run::new(setup, model);
    let mut arrivals = Arrivals::new(setup.traffic, setup.options.seed);
    let mut next = arrivals.next();
    let end = Nanos::from_seconds(setup.traffic.span());
    loop {
        let event = run.events.peek().map(|Reverse((at, ..))| *at);
        match (next, event) {
            (Some(now), event) if event.is_none_or(|at| now <= at) => {
                run.arrive(now);
                next = arrivals.next();
            }
            // Ticks go on for ever: what is left after the end is work, not time.
            (None, Some(at)) if at > end && run.present == 0 => break,
            (_, Some(_)) => run.step(),
            (_, None) => break,
        }
    }
    run.end(end)
}

#[derive(Debug)]
enum Event {
    Processed(usize, Request),
    Queried(usize, Request),
    Answered(usize, Request),
    Ready(usize),
    Tick,
}

struct Run<'a> {
    setup: &'a Setup<'a>,
    model: &'a Fleet,
    parts: Parts,
    random: Random,
    recorder: Recorder,
    events: BinaryHeap<Reverse<(Nanos, u64, EventBox)>>,
    sequence: u64,
    instances: Vec<Instance>,
    /// Instances that answer, by their number; the newest is the last.
    ready: Vec<usize>,
    free: Vec<usize>,
    turn: usize,
    pending: VecDeque<Request>,
    starting: usize,
    draining: usize,
    starts: Starts,
    scaler: Scaler,
    period: f64,
    places: Option<usize>,
    patience: f64,
    deploys: Deploys,
    /// Requests that are somewhere.
    present: usize,
    open: usize,
    busy: Integral,
    in_flight: Integral,
    counted: Nanos,
    turned: Nanos,
}

/// An event in the heap, ordered by time and sequence alone.
struct EventBox(Event);

impl PartialEq for EventBox {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for EventBox {}
impl PartialOrd for EventBox {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for EventBox {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// A number over time, summed up between two looks.
#[derive(Debug, Default)]
struct Integral {
    value: f64,
    sum: f64,
    since: Nanos,
    looked: Nanos,
}

impl Integral {
    fn add(&mut self, now: Nanos, change: f64) {
        self.sum += self.value * now.since(self.since);
        self.since = now;
        self.value += change;
    }

    fn mean(&mut self, now: Nanos) -> f64 {
        self.add(now, 0.0);
        let passed = now.since(self.looked).max(1e-9);
        self.looked = now;
        std::mem::take(&mut self.sum) / passed
    }
}

impl<'a> Run<'a> {
    fn new(setup: &'a Setup<'a>, model: &'a Fleet) -> Self {
        let parameters = &model.parameters;
        let cores = setup.size.cores;
        let places =
            parameters.concurrency_per_core.as_ref().map(|c| (c.value * cores).max(1.0) as usize);
        let (least, most) = (setup.least, setup.deployment.instances);
        let mut run = Self {
            setup,
            model,
            parts: setup.parts(),
            random: Random::new(setup.options.seed ^ 0x666c_6565_7400),
            recorder: Recorder::new(setup.traffic.span(), cores, setup.size.memory_gb),
            events: BinaryHeap::new(),
            sequence: 0,
            instances: Vec::new(),
            ready: Vec::new(),
            free: Vec::new(),
            turn: 0,
            pending: VecDeque::new(),
            starting: 0,
            draining: 0,
            starts: Starts::new(parameters, cores, setup.workload.start),
            scaler: Scaler::new(&model.scaling, cores, places, least, most),
            period: Scaler::period(&model.scaling),
            places,
            patience: parameters.patience_seconds.value,
            deploys: Deploys::new(
                setup.options.deploys_per_day,
                parameters.deploy_seconds.value,
                parameters.overlap.value,
            ),
            present: 0,
            open: 0,
            busy: Integral::default(),
            in_flight: Integral::default(),
            counted: Nanos(0),
            turned: Nanos(0),
        };
        run.starts.begin(setup.first);
        for _ in 0..setup.first {
            let index = run.add();
            run.begin(Nanos(0), index);
        }
        run.schedule(Nanos::from_seconds(run.period), Event::Tick);
        run
    }

    fn schedule(&mut self, at: Nanos, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, EventBox(event))));
    }

    fn arrive(&mut self, now: Nanos) {
        let service = self.setup.workload.service.sample(&mut self.random);
        let request = Request {
            came: now,
            queued: now,
            waited: 0.0,
            processor: service * self.parts.processor,
            database: service * self.parts.database,
            elsewhere: service * self.parts.elsewhere,
        };
        self.present += 1;
        self.in_flight.add(now, 1.0);
        match self.choose() {
            Some(index) => self.give(now, index, request),
            None => {
                self.pending.push_back(request);
                // Nobody starts instances for a request but a host that scales by requests.
                if self.places.is_some() {
                    self.scale(now, false);
                }
            }
        }
    }

    fn choose(&mut self) -> Option<usize> {
        let many = self.ready.len();
        if many == 0 {
            return None;
        }
        let first = match self.model.balancing {
            Balancing::Random => self.random.below(many),
            Balancing::RoundRobin => {
                self.turn = (self.turn + 1) % many;
                self.turn
            }
        };
        let places = self.places.unwrap_or(usize::MAX);
        (0..many)
            .map(|offset| self.ready[(first + offset) % many])
            .find(|index| self.instances[*index].in_flight < places)
    }

    fn give(&mut self, now: Nanos, index: usize, mut request: Request) {
        request.waited += now.since(request.queued);
        let instance = &mut self.instances[index];
        // A request that comes within a step that is billed already goes on with it.
        if instance.in_flight == 0 && now.since(instance.active_since) >= instance.billed {
            (instance.active_since, instance.billed) = (now, 0.0);
        }
        instance.in_flight += 1;
        if let Some(request) = instance.processors.enter(now, request) {
            self.process(now, index, request);
        }
    }

    fn process(&mut self, now: Nanos, index: usize, request: Request) {
        self.busy.add(now, 1.0);
        self.schedule(now.after(request.processor), Event::Processed(index, request));
    }

    fn query(&mut self, now: Nanos, index: usize, request: Request) {
        let instance = &mut self.instances[index];
        instance.used[0] = instance.used[0].max(instance.pool.busy);
        if instance.pool.busy > instance.open {
            self.open += instance.pool.busy - instance.open;
            instance.open = instance.pool.busy;
            let open = (self.open as f64 * self.deploys.factor(now)).ceil() as u64;
            self.recorder.connections(now, open);
        }
        self.schedule(now.after(request.database), Event::Queried(index, request));
    }

    fn step(&mut self) {
        let Some(Reverse((now, _, EventBox(event)))) = self.events.pop() else { return };
        match event {
            Event::Processed(index, request) => {
                self.busy.add(now, -1.0);
                let mut late = Vec::new();
                let patience = self.patience;
                let next = self.instances[index].processors.leave(now, patience, |r| late.push(r));
                if let Some(next) = next {
                    self.process(now, index, next);
                }
                late.into_iter().for_each(|request| self.leave(now, index, &request, false));
                if request.database == 0.0 {
                    self.schedule(now.after(request.elsewhere), Event::Answered(index, request));
                } else if let Some(request) = self.instances[index].pool.enter(now, request) {
                    self.query(now, index, request);
                }
            }
            Event::Queried(index, request) => {
                let mut late = Vec::new();
                let patience = self.setup.plan().acquire_timeout().as_secs_f64();
                let next = self.instances[index].pool.leave(now, patience, |r| late.push(r));
                if let Some(next) = next {
                    self.query(now, index, next);
                }
                late.into_iter().for_each(|request| self.leave(now, index, &request, false));
                self.schedule(now.after(request.elsewhere), Event::Answered(index, request));
            }
            Event::Answered(index, request) => self.leave(now, index, &request, true),
            Event::Ready(index) => {
                self.starting -= 1;
                self.begin(now, index);
            }
            Event::Tick => {
                self.scale(now, true);
                self.close_idle(now);
                self.schedule(now.after(self.period), Event::Tick);
                self.setup.options.progress.at(now.seconds() / self.setup.traffic.span());
            }
        }
    }

    /// A request is over, answered or not.
    fn leave(&mut self, now: Nanos, index: usize, request: &Request, answered: bool) {
        self.present -= 1;
        self.in_flight.add(now, -1.0);
        if answered {
            let (came, waited) = (request.came, request.waited);
            self.recorder.served(came, now.since(came), waited, 1);
        } else {
            self.recorder.refused(request.came, 1);
        }
        let instance = &mut self.instances[index];
        instance.in_flight -= 1;
        if instance.in_flight == 0 {
            let active = now.since(instance.active_since);
            let step = self.model.parameters.active_step_seconds.as_ref().map_or(0.0, |s| s.value);
            let paid = if step > 0.0 { (active / step).ceil() * step } else { active };
            self.recorder.usage.active_seconds += paid - instance.billed;
            instance.billed = paid;
            if !instance.ready {
                self.remove(now, index);
            }
        }
        if self.instances[index].ready {
            self.serve_pending(now);
        }
    }

    fn serve_pending(&mut self, now: Nanos) {
        while let Some(request) = self.pending.front().copied() {
            if now.since(request.queued) > self.patience {
                self.pending.pop_front();
                self.give_up(now, &request);
                continue;
            }
            let Some(index) = self.choose() else { return };
            self.pending.pop_front();
            self.give(now, index, request);
        }
    }

    fn give_up(&mut self, now: Nanos, request: &Request) {
        self.present -= 1;
        self.in_flight.add(now, -1.0);
        self.recorder.refused(request.came, 1);
    }

    fn all(&self) -> usize {
        self.ready.len() + self.starting
    }

    fn scale(&mut self, now: Nanos, regular: bool) {
        while let Some(request) = self.pending.front().copied() {
            if now.since(request.queued) <= self.patience {
                break;
            }
            self.pending.pop_front();
            self.give_up(now, &request);
        }
        let cores = self.setup.size.cores / self.parts.servers as f64;
        let (busy_cores, in_flight) = if regular {
            (self.busy.mean(now) * cores, self.in_flight.mean(now))
        } else {
            (0.0, self.in_flight.value)
        };
        let pending = self.pending.len();
        let seen = Seen {
            ready: self.ready.len(),
            all: self.all(),
            busy_cores,
            in_flight,
            pending: if regular { 0 } else { pending },
        };
        let wanted = self.scaler.decide(now, seen).max(usize::from(pending > 0));
        while self.all() < wanted {
            self.recorder.starts += 1;
            let at = self.starts.ask(now, self.all() + 1);
            let index = self.add();
            self.starting += 1;
            self.schedule(at, Event::Ready(index));
        }
        if regular {
            // Those that are still starting are not taken back.
            while self.all() > wanted && !self.ready.is_empty() {
                let Some(index) = self.ready.pop() else { break };
                self.instances[index].ready = false;
                self.draining += 1;
                if self.instances[index].in_flight == 0 {
                    self.remove(now, index);
                }
            }
            self.starts.shrink(now, self.all());
        }
        self.count(now);
    }

    fn add(&mut self) -> usize {
        let instance = Instance::new(self.parts.servers, self.setup.plan().size());
        match self.free.pop() {
            Some(index) => {
                self.instances[index] = instance;
                index
            }
            None => {
                self.instances.push(instance);
                self.instances.len() - 1
            }
        }
    }

    fn begin(&mut self, now: Nanos, index: usize) {
        let warm = self.setup.plan().warm();
        self.instances[index].ready = true;
        self.instances[index].open = warm;
        self.open += warm;
        self.ready.push(index);
        let cold = self.pending.len() as u64;
        if cold > 0 {
            self.recorder.cold(now, cold);
        }
        self.serve_pending(now);
        self.count(now);
    }

    fn remove(&mut self, now: Nanos, index: usize) {
        self.draining -= 1;
        self.open -= self.instances[index].open;
        self.free.push(index);
        self.count(now);
    }

    /// Connections that nobody used for about the plan's idle time are closed, the warm ones kept.
    fn close_idle(&mut self, now: Nanos) {
        if now.since(self.turned) < self.setup.plan().idle_timeout().as_secs_f64() / 2.0 {
            return;
        }
        self.turned = now;
        let warm = self.setup.plan().warm();
        for index in &self.ready {
            let instance = &mut self.instances[*index];
            let keep = instance.used[0].max(instance.used[1]).max(warm).min(instance.open);
            self.open -= instance.open - keep;
            instance.open = keep;
            instance.used = [instance.pool.busy, instance.used[0]];
        }
        self.count(now);
    }

    fn count(&mut self, now: Nanos) {
        // What is left to do after the end is not paid for here.
        let now = now.min(Nanos::from_seconds(self.setup.traffic.span()));
        let factor = self.deploys.factor(now);
        let running = (self.all() + self.draining) as f64;
        let passed = now.since(self.counted);
        self.recorder.usage.instance_seconds += running * factor * passed;
        self.recorder.usage.node_seconds += self.starts.nodes() as f64 * passed;
        self.counted = now;
        self.recorder.instances(now, (running * factor).ceil() as u64);
        self.recorder.connections(now, (self.open as f64 * factor).ceil() as u64);
    }

    fn end(mut self, end: Nanos) -> Recorder {
        self.count(end);
        self.recorder
    }
}
