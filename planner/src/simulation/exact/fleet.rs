//! Instances that answer many requests at once, request by request: instances come, go and are counted here.
//! Long because the events of one loop change the same state; the way of a request is in `requests`.

use std::collections::VecDeque;

use super::database::{Server, Step};
use super::instance::{Instance, Request};
use crate::Random;
use crate::hosts::Fleet;
use crate::simulation::deploys::Deploys;
use crate::simulation::events::Events;
use crate::simulation::nodes::Starts;
use crate::simulation::parts::Parts;
use crate::simulation::recorder::Recorder;
use crate::simulation::scaler::{Observation, Scaler};
use crate::simulation::setup::Setup;
use crate::simulation::{Cause, Nanos};
use crate::traffic::Arrivals;

/// A request is given to an instance, waits for a processor, then for a connection, and leaves.
pub(crate) fn fleet(setup: &Setup<'_>, model: &Fleet) -> Recorder {
    let mut run = Run::new(setup, model);
    let mut arrivals = Arrivals::new(setup.traffic, setup.options.seed);
    let mut next = arrivals.next();
    let end = Nanos::from_seconds(setup.traffic.span());
    loop {
        let event = run.events.next_at();
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
pub(super) enum Event {
    Processed(usize, Request),
    Server(Step),
    Answered(usize, Request),
    Ready(usize),
    Deploy(u64),
    Tick,
}

pub(super) struct Run<'a> {
    pub(super) setup: &'a Setup<'a>,
    pub(super) model: &'a Fleet,
    pub(super) parts: Parts,
    pub(super) random: Random,
    pub(super) recorder: Recorder,
    pub(super) events: Events<Event>,
    pub(super) instances: Vec<Instance>,
    /// Instances that answer, by their number; the newest is the last.
    pub(super) ready: Vec<usize>,
    free: Vec<usize>,
    pub(super) turn: usize,
    /// Requests that no instance has a place for, and since when.
    pending: VecDeque<(Nanos, Request)>,
    /// How many of them, from the first on, are counted as waiting for a start.
    cold: usize,
    pub(super) server: Server,
    starting: usize,
    draining: usize,
    starts: Starts,
    scaler: Scaler,
    period: f64,
    pub(super) places: Option<usize>,
    pub(super) patience: f64,
    /// How long a request waits for a processor once an instance has taken it. If the host counts places, its patience is
    /// for those without one.
    pub(super) inside: f64,
    pub(super) deploys: Deploys,
    /// Requests that are somewhere.
    pub(super) present: usize,
    pub(super) open: usize,
    /// Seconds of processor used since the scaler last looked.
    pub(super) used: f64,
    looked: Nanos,
    pub(super) in_flight: Integral,
    counted: Nanos,
    turned: Nanos,
}

/// A number over time, summed up between two looks.
#[derive(Debug, Default)]
pub(super) struct Integral {
    value: f64,
    sum: f64,
    since: Nanos,
    looked: Nanos,
}

impl Integral {
    pub(super) fn add(&mut self, now: Nanos, change: f64) {
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
        let cores = setup.configuration.size.cores;
        let places =
            parameters.concurrency_per_core.as_ref().map(|c| (c.value * cores).max(1.0) as usize);
        let (least, most) = (setup.configuration.least, setup.configuration.most);
        let parts = setup.parts();
        let patience = parameters.patience_seconds.value.min(parts.limit);
        let mut run = Self {
            setup,
            model,
            parts,
            random: Random::new(setup.options.seed ^ 0x666c_6565_7400),
            recorder: Recorder::new(setup),
            events: Events::new(),
            instances: Vec::new(),
            ready: Vec::new(),
            free: Vec::new(),
            turn: 0,
            pending: VecDeque::new(),
            cold: 0,
            server: Server::new(setup.workload.database.as_ref()),
            starting: 0,
            draining: 0,
            starts: Starts::new(parameters, cores, setup.workload.start),
            scaler: Scaler::new(&model.scaling, cores, places, least, most),
            period: Scaler::period(&model.scaling),
            places,
            patience,
            inside: if places.is_some() { parts.limit } else { patience },
            deploys: Deploys::new(
                setup.options.deploys_per_day,
                parameters.deploy_seconds.value,
                parameters.overlap.value,
            ),
            present: 0,
            open: 0,
            used: 0.0,
            looked: Nanos(0),
            in_flight: Integral::default(),
            counted: Nanos(0),
            turned: Nanos(0),
        };
        run.starts.begin(setup.first);
        for _ in 0..setup.first {
            let index = run.add();
            run.begin(Nanos(0), index);
        }
        run.events.add(Nanos::from_seconds(run.period), Event::Tick);
        if run.deploys.interrupts() {
            run.events.add(run.deploys.moment(0), Event::Deploy(0));
        }
        run
    }

    fn step(&mut self) {
        let Some((now, event)) = self.events.pop() else { return };
        match event {
            Event::Processed(index, request) => self.processed(now, index, request),
            Event::Server(step) => self.server_step(now, step),
            Event::Answered(index, request) => self.leave(now, index, &request, None),
            Event::Ready(index) => {
                self.starting -= 1;
                self.begin(now, index);
            }
            Event::Deploy(number) => {
                self.replace(now);
                self.events.add(self.deploys.moment(number + 1), Event::Deploy(number + 1));
            }
            Event::Tick => {
                self.scale(now, true);
                self.close_idle(now);
                self.events.add(now.after(self.period), Event::Tick);
                self.setup.options.progress.at(now.seconds() / self.setup.traffic.span());
            }
        }
    }

    /// A deploy without overlap: all instances stop, then as many start.
    fn replace(&mut self, now: Nanos) {
        let many = self.ready.len();
        while let Some(index) = self.ready.pop() {
            self.drain(now, index);
        }
        let start = self.model.parameters.start_seconds.value + self.setup.workload.start;
        for _ in 0..many {
            let index = self.add();
            self.starting += 1;
            self.events.add(now.after(start), Event::Ready(index));
        }
        self.count(now);
    }

    fn drain(&mut self, now: Nanos, index: usize) {
        self.instances[index].ready = false;
        self.draining += 1;
        if self.instances[index].in_flight == 0 {
            self.remove(now, index);
        }
    }

    /// Instances that run or start.
    pub(super) fn all(&self) -> usize {
        self.ready.len() + self.starting
    }

    pub(super) fn scale(&mut self, now: Nanos, regular: bool) {
        // Up to now those are paid for that were there.
        self.count(now);
        while let Some((since, request)) = self.first_pending() {
            if now.since(since) <= self.patience {
                break;
            }
            self.next_pending();
            self.turn_away(now, &request, self.shortage());
        }
        let (busy_cores, in_flight) = if regular {
            let passed = now.since(self.looked).max(1e-9);
            self.looked = now;
            (std::mem::take(&mut self.used) / passed, self.in_flight.mean(now))
        } else {
            (0.0, self.in_flight.value)
        };
        let pending = self.pending.len();
        let seen = Observation {
            ready: self.ready.len(),
            all: self.all(),
            busy_cores,
            in_flight,
            pending: if regular { 0 } else { pending },
            present: regular.then_some(self.present as f64),
        };
        let wanted = self.scaler.decide(now, seen).max(usize::from(pending > 0));
        while self.all() < wanted {
            self.recorder.starts += 1;
            let at = self.starts.ask(now, self.all() + 1);
            let index = self.add();
            self.starting += 1;
            self.events.add(at, Event::Ready(index));
        }
        if regular {
            // Those that are still starting are not taken back.
            while self.all() > wanted && !self.ready.is_empty() {
                let Some(index) = self.ready.pop() else { break };
                self.drain(now, index);
            }
            self.starts.shrink(now, self.all());
        }
        self.count(now);
    }

    fn add(&mut self) -> usize {
        let pool = self.setup.pool.as_ref().map_or(usize::MAX, |pool| pool.size);
        let instance = Instance::new(self.parts.servers, pool);
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
        let warm = self.setup.pool.as_ref().map_or(0, |pool| pool.warm);
        self.instances[index].ready = true;
        self.instances[index].open = warm;
        self.open += warm;
        self.ready.push(index);
        self.recorder.cold(now, (self.pending.len() - self.cold) as u64);
        self.cold = self.pending.len();
        self.serve_pending(now);
        self.count(now);
    }

    /// Keeps a request until an instance has a place for it.
    pub(super) fn keep(&mut self, now: Nanos, request: Request) {
        self.pending.push_back((now, request));
    }

    /// The request that has been kept for longest, and since when.
    pub(super) fn first_pending(&self) -> Option<(Nanos, Request)> {
        self.pending.front().copied()
    }

    pub(super) fn next_pending(&mut self) {
        self.pending.pop_front();
        self.cold = self.cold.saturating_sub(1);
    }

    pub(super) fn remove(&mut self, now: Nanos, index: usize) {
        self.count(now);
        self.draining -= 1;
        self.open -= self.instances[index].open;
        self.free.push(index);
        self.count(now);
    }

    /// What keeps requests waiting for an instance now.
    pub(super) fn shortage(&self) -> Cause {
        if self.ready.len() < self.setup.configuration.most {
            Cause::Scaler
        } else {
            Cause::Instances
        }
    }

    /// Connections unused for about the plan's idle time are closed, except the warm ones.
    fn close_idle(&mut self, now: Nanos) {
        let Some(pool) = &self.setup.pool else { return };
        if now.since(self.turned) < pool.idle / 2.0 {
            return;
        }
        self.turned = now;
        for index in &self.ready {
            let instance = &mut self.instances[*index];
            let keep = instance.used[0].max(instance.used[1]).max(pool.warm).min(instance.open);
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
        // If the old process stops first, what it still answers is not paid for a second time.
        let draining = if self.deploys.interrupts() { 0 } else { self.draining };
        let running = (self.all() + draining) as f64;
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
