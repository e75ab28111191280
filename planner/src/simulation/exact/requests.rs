//! The way of a request through a fleet: an instance, a processor, a connection, the server, the answer.

use super::database::{Query, Step};
use super::fleet::{Event, Run};
use super::instance::Request;
use crate::hosts::Balancing;
use crate::simulation::quota::Bucket;
use crate::simulation::{Cause, Nanos};

impl Run<'_> {
    pub(super) fn arrive(&mut self, now: Nanos) {
        let service = self.setup.workload.service.sample(&mut self.random);
        let request = Request {
            came: now,
            waited: 0.0,
            start: 0.0,
            times: self.parts.times_of(service),
            queried: false,
            bucket: Bucket::default(),
            provisioned: false,
        };
        self.present += 1;
        self.in_flight.add(now, 1.0);
        match self.choose() {
            Some(index) => self.give(now, index, request),
            None => {
                self.keep(now, request);
                // Only a host that scales by requests starts an instance for a request.
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

    fn give(&mut self, now: Nanos, index: usize, request: Request) {
        let instance = &mut self.instances[index];
        if self.setup.configuration.max_in_flight.is_some_and(|most| instance.in_flight >= most) {
            return self.turn_away(now, &request, Cause::InFlight);
        }
        // A request that comes within a step that is billed already goes on with it.
        if instance.in_flight == 0 && now.since(instance.active_since) >= instance.billed {
            (instance.active_since, instance.billed) = (now, 0.0);
        }
        instance.in_flight += 1;
        if let Some(request) = instance.processors.enter(now, request) {
            self.process(now, index, request);
        }
    }

    fn process(&mut self, now: Nanos, index: usize, mut request: Request) {
        let demand = if request.queried {
            // It takes the answer, and the connection is free.
            self.release(now, index);
            request.times.after
        } else {
            request.times.before
        };
        self.used += demand;
        self.recorder.usage.processor_seconds += demand;
        request.bucket = self.instances[index].buckets.pop().unwrap_or_default();
        let taken = request.bucket.run(self.parts.quota, now.seconds(), demand);
        request.waited += taken - demand;
        self.events.add(now.after(taken), Event::Processed(index, request));
    }

    pub(super) fn processed(&mut self, now: Nanos, index: usize, request: Request) {
        let instance = &mut self.instances[index];
        instance.buckets.push(request.bucket);
        let mut late = Vec::new();
        let next = instance.processors.leave(now, self.inside, |request| late.push(request));
        if let Some((mut next, waited)) = next {
            next.waited += waited;
            self.process(now, index, next);
        }
        let cause = self.shortage();
        for request in late {
            if request.queried {
                self.release(now, index);
            }
            self.leave(now, index, &request, Some(cause));
        }
        if request.queried || request.times.database == 0.0 {
            let rest = request.times.elsewhere;
            self.events.add(now.after(rest), Event::Answered(index, request));
        } else if let Some(request) = self.instances[index].pool.enter(now, request) {
            self.query(now, index, request);
        }
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
        self.server.begin(now, Query { instance: index, request });
        self.schedule_server();
    }

    fn schedule_server(&mut self) {
        for (at, step) in self.server.steps.drain(..) {
            self.events.add(at, Event::Server(step));
        }
    }

    pub(super) fn server_step(&mut self, now: Nanos, step: Step) {
        match step {
            Step::Computed(query) => self.server.computed(now, query),
            Step::Done(Query { instance, mut request }) => {
                self.server.done(now);
                request.queried = true;
                if let Some(request) = self.instances[instance].processors.enter(now, request) {
                    self.process(now, instance, request);
                }
            }
            Step::GaveUp(Query { instance, request }) => {
                self.release(now, instance);
                self.leave(now, instance, &request, Some(Cause::Server));
            }
        }
        self.schedule_server();
    }

    /// A connection of a process is free again.
    fn release(&mut self, now: Nanos, index: usize) {
        let mut late = Vec::new();
        let acquire = self.setup.pool.as_ref().map_or(f64::INFINITY, |pool| pool.acquire);
        let next = self.instances[index].pool.leave(now, acquire, |request| late.push(request));
        if let Some((mut next, waited)) = next {
            next.waited += waited;
            self.query(now, index, next);
        }
        late.into_iter().for_each(|request| self.leave(now, index, &request, Some(Cause::Pool)));
    }

    /// A request is over: answered, or turned away for a cause.
    pub(super) fn leave(
        &mut self,
        now: Nanos,
        index: usize,
        request: &Request,
        refused: Option<Cause>,
    ) {
        self.present -= 1;
        self.in_flight.add(now, -1.0);
        let latency = now.since(request.came);
        let late = latency > self.parts.limit;
        let own = request.own_time(self.parts.share);
        let shortage = self.shortage();
        match refused.or(late.then(|| self.parts.late_cause(own, shortage))) {
            None => self.recorder.served(request.came, latency, request.waited, 1),
            Some(cause) => self.recorder.refused(request.came, cause, 1),
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

    pub(super) fn serve_pending(&mut self, now: Nanos) {
        while let Some((since, mut request)) = self.first_pending() {
            let waited = now.since(since);
            if waited > self.patience {
                self.next_pending();
                self.turn_away(now, &request, self.shortage());
                continue;
            }
            let Some(index) = self.choose() else { return };
            self.next_pending();
            request.waited += waited;
            self.give(now, index, request);
        }
    }

    /// A request that no instance answers.
    pub(super) fn turn_away(&mut self, now: Nanos, request: &Request, cause: Cause) {
        self.present -= 1;
        self.in_flight.add(now, -1.0);
        self.recorder.refused(request.came, cause, 1);
    }
}
