//! Environments that answer one request at a time, request by request.

use std::collections::VecDeque;

use super::database::{Query, Server, Step};
use super::instance::Request;
use crate::Random;
use crate::hosts::FunctionParameters;
use crate::simulation::deploys::Deploys;
use crate::simulation::events::Events;
use crate::simulation::parts::Parts;
use crate::simulation::quota::Bucket;
use crate::simulation::recorder::Recorder;
use crate::simulation::setup::Setup;
use crate::simulation::{Cause, Nanos};
use crate::traffic::Arrivals;
use crate::workload::Distribution;

/// A request takes a provisioned environment, else the one that was used last; without an idle one, a new one is started
/// for it and it waits; beyond the limits it is turned away at once (429).
pub(crate) fn functions(setup: &Setup<'_>, parameters: &FunctionParameters) -> Recorder {
    let mut run = Run::new(setup, parameters);
    let span = setup.traffic.span();
    for (index, now) in Arrivals::new(setup.traffic, setup.options.seed).enumerate() {
        run.until(now);
        run.arrive(now);
        if index % 65_536 == 0 {
            setup.options.progress.at(now.seconds() / span);
        }
    }
    // Requests that are still inside are answered; environments live until they were idle for long enough.
    run.until(Nanos(u64::MAX));
    run.recorder
}

/// A request in an environment.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// It has computed and asks the database.
    Query(Query),
    Server(Step),
    /// It leaves its environment, answered or turned away for a cause.
    Finish(Request, Option<Cause>),
}

struct Run<'a> {
    setup: &'a Setup<'a>,
    parameters: &'a FunctionParameters,
    parts: Parts,
    random: Random,
    recorder: Recorder,
    cold_start: Distribution,
    init: Distribution,
    events: Events<Event>,
    server: Server,
    busy: usize,
    /// Since when each is idle, with its quota. The last is the one used last, so the first is unused for longest.
    idle: VecDeque<(Nanos, Bucket)>,
    /// Provisioned environments that have no request, with their quotas. They stay, and a new version has them from its start.
    provisioned: Vec<Bucket>,
    burst: Window,
    requests: Window,
    deploys: Deploys,
    deployed: u64,
    /// Up to when environments are paid for and counted.
    counted: Nanos,
    end: Nanos,
}

impl<'a> Run<'a> {
    fn new(setup: &'a Setup<'a>, parameters: &'a FunctionParameters) -> Self {
        let rate = parameters.requests_per_environment_second.value;
        let least = setup.configuration.least;
        let read = "checked when it was read";
        let mut run = Self {
            setup,
            parameters,
            parts: setup.parts(),
            random: Random::new(setup.options.seed),
            recorder: Recorder::new(setup),
            cold_start: parameters.cold_start_ms.distribution().expect(read),
            init: parameters.init_ms.distribution().expect(read),
            events: Events::new(),
            server: Server::new(setup.workload.database.as_ref()),
            busy: 0,
            idle: VecDeque::new(),
            provisioned: vec![Bucket::default(); least],
            burst: Window::new(parameters.burst_seconds.value, parameters.burst_environments.value),
            requests: Window::new(1.0, rate * setup.configuration.most as f64),
            deploys: Deploys::new(setup.options.deploys_per_day, 0.0, 1.0),
            deployed: 0,
            counted: Nanos(0),
            end: Nanos::from_seconds(setup.traffic.span()),
        };
        run.tell(Nanos(0));
        run
    }

    /// Runs everything that happens up to a moment: events, and the end of environments that were idle for long enough.
    fn until(&mut self, now: Nanos) {
        loop {
            let gone = self
                .idle
                .front()
                .map(|(since, _)| since.after(self.parameters.keep_warm_seconds.value));
            let event = self.events.next_at();
            match (event, gone) {
                (event, Some(gone)) if gone <= now && event.is_none_or(|at| gone < at) => {
                    self.count(gone);
                    self.idle.pop_front();
                    self.tell(gone);
                }
                (Some(at), _) if at <= now => self.step(),
                _ => return,
            }
        }
    }

    fn arrive(&mut self, now: Nanos) {
        if self.deploys.before(now) > self.deployed {
            self.deployed = self.deploys.before(now);
            self.count(now);
            self.idle.clear();
        }
        let service = self.setup.workload.service.sample(&mut self.random);
        let refused = if !self.requests.take(now) {
            Some(Cause::RequestRate)
        } else if self.busy >= self.setup.configuration.most {
            Some(Cause::Environments)
        } else if self.provisioned.is_empty() && self.idle.is_empty() && !self.burst.take(now) {
            Some(Cause::Burst)
        } else {
            None
        };
        if let Some(cause) = refused {
            self.recorder.refused(now, cause, 1);
            return;
        }
        self.count(now);
        let ready = self.provisioned.pop();
        let provisioned = ready.is_some();
        let idle = ready.or_else(|| self.idle.pop_back().map(|(_, bucket)| bucket));
        let (start, mut bucket) = match idle {
            Some(bucket) => (0.0, bucket),
            None => (self.start(now), Bucket::default()),
        };
        self.busy += 1;
        self.tell(now);
        let times = self.parts.times_of(service);
        let begin = now.after(start);
        let taken = bucket.run(self.parts.quota, begin.seconds(), times.before);
        self.recorder.usage.processor_seconds += times.processor();
        let mut request =
            Request { came: now, waited: start, start, times, queried: false, bucket, provisioned };
        let computed = begin.after(taken);
        if self.server.unlimited() || self.setup.pool.is_none() {
            let limit = self.parameters.run_limit_seconds.value;
            let answered = taken + times.database;
            let taken =
                request.bucket.run(self.parts.quota, begin.after(answered).seconds(), times.after);
            let run = answered + taken + times.elsewhere;
            // The platform ends it there.
            let killed = (run > limit).then_some(Cause::TimeLimit);
            self.events.add(begin.after(run.min(limit)), Event::Finish(request, killed));
        } else {
            self.events.add(computed, Event::Query(Query { instance: 0, request }));
        }
    }

    /// A new environment; returns how long its first request waits.
    fn start(&mut self, now: Nanos) -> f64 {
        self.recorder.cold(now, 1);
        self.recorder.starts += 1;
        let app = self.setup.workload.start;
        let init = self.init.sample(&mut self.random) + app;
        self.recorder.usage.function_seconds += init * self.parameters.init_billed.value;
        self.cold_start.sample(&mut self.random) + app
    }

    fn step(&mut self) {
        let Some((now, event)) = self.events.pop() else { return };
        match event {
            Event::Query(query) => self.server.begin(now, query),
            Event::Server(Step::Computed(query)) => self.server.computed(now, query),
            Event::Server(Step::Done(Query { mut request, .. })) => {
                self.server.done(now);
                let after = request.times.after;
                let taken = request.bucket.run(self.parts.quota, now.seconds(), after);
                let rest = taken + request.times.elsewhere;
                self.events.add(now.after(rest), Event::Finish(request, None));
            }
            Event::Server(Step::GaveUp(Query { request, .. })) => {
                self.finish(now, &request, Some(Cause::Server));
            }
            Event::Finish(request, refused) => self.finish(now, &request, refused),
        }
        for (at, step) in self.server.steps.drain(..) {
            self.events.add(at, Event::Server(step));
        }
    }

    fn finish(&mut self, now: Nanos, request: &Request, refused: Option<Cause>) {
        self.count(now);
        self.busy -= 1;
        if request.provisioned {
            self.provisioned.push(request.bucket);
        } else {
            self.idle.push_back((now, request.bucket));
        }
        let latency = now.since(request.came);
        let own = request.own_time(self.parts.share);
        let waited_for = if self.server.unlimited() { Cause::TimeLimit } else { Cause::Server };
        let late = (latency > self.parts.limit).then(|| self.parts.late_cause(own, waited_for));
        match refused.or(late) {
            None => self.recorder.served(request.came, latency, request.waited, 1),
            Some(cause) => self.recorder.refused(request.came, cause, 1),
        }
        // All that an environment does for a request is billed, but not the wait for its start.
        let begin = request.came.after(request.start);
        let step = self.parameters.billing_step_ms.value / 1000.0;
        let billed = (now.since(begin) / step - 1e-6).ceil() * step;
        let usage = &mut self.recorder.usage;
        match request.provisioned {
            true => usage.provisioned_function_seconds += billed,
            false => usage.function_seconds += billed,
        }
    }

    /// Environments that live now.
    fn live(&self) -> u64 {
        (self.busy + self.idle.len() + self.provisioned.len()) as u64
    }

    /// Pays for the environments that lived up to a moment.
    fn count(&mut self, now: Nanos) {
        let now = now.min(self.end);
        self.recorder.usage.instance_seconds += self.live() as f64 * now.since(self.counted);
        self.counted = now;
    }

    fn tell(&mut self, now: Nanos) {
        let (now, live) = (now.min(self.end), self.live());
        let each = self.setup.pool.as_ref().map_or(0, |pool| pool.size) as u64;
        self.recorder.instances(now, live);
        self.recorder.connections(now, live * each);
    }
}

/// So many of something within each stretch of time, nothing carried over.
#[derive(Debug)]
struct Window {
    length: f64,
    most: f64,
    index: u64,
    taken: f64,
}

impl Window {
    fn new(length: f64, most: f64) -> Self {
        Self { length, most, index: 0, taken: 0.0 }
    }

    fn take(&mut self, now: Nanos) -> bool {
        let index = (now.seconds() / self.length) as u64;
        if index != self.index {
            (self.index, self.taken) = (index, 0.0);
        }
        self.taken += 1.0;
        self.taken <= self.most
    }
}
