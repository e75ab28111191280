//! Environments that answer one request at a time, stretch by stretch.

use std::collections::VecDeque;

use super::server::Server;
use super::stretches::{Stretch, samples, stretches};
use crate::Random;
use crate::hosts::FunctionParameters;
use crate::simulation::deploys::Deploys;
use crate::simulation::occupancy::Occupancy;
use crate::simulation::quota::{fresh, mean_of_fresh};
use crate::simulation::recorder::Recorder;
use crate::simulation::setup::Setup;
use crate::simulation::{Cause, Nanos};
use crate::theory::{erlang_b, most_busy};

/// Since the environment used last is used first, as many live as were busy at once within the time they are kept: a
/// running maximum of the busiest moments, each drawn from its distribution. Cold starts are its rises.
pub(crate) fn functions(setup: &Setup<'_>, parameters: &FunctionParameters) -> Recorder {
    let span = setup.traffic.span();
    let parts = setup.parts();
    let service = &setup.workload.service;
    let computing = mean_of_fresh(&parts, service);
    let rest = parts.database + parts.elsewhere;
    let whole = computing + parts.service * rest;
    let server = Server::new(setup);
    let mut recorder = Recorder::new(setup);
    let mut random = Random::new(setup.options.seed);
    let cold_start = parameters.cold_start_ms.distribution().expect("checked when it was read");
    let init = parameters.init_ms.distribution().expect("checked when it was read").mean();
    let start = setup.workload.start;
    let deploys = Deploys::new(setup.options.deploys_per_day, 0.0, 1.0);
    let (provisioned, most) = (setup.configuration.least, setup.configuration.most);
    let per_environment = setup.pool.as_ref().map_or(0, |pool| pool.size) as u64;
    let step = parameters.billing_step_ms.value / 1000.0;
    let mut limits = Limits {
        whole,
        cold: cold_start.mean() + start,
        most,
        rate: parameters.requests_per_environment_second.value * most as f64,
        burst: parameters.burst_environments.value / parameters.burst_seconds.value,
        present: Occupancy::new(service.variability()),
    };
    let mut kept = Kept::new(parameters.keep_warm_seconds.value);
    let mut deployed = 0;
    for (index, stretch) in stretches(setup.traffic, 10.0, setup.options.stretches).enumerate() {
        let Stretch { at, length, requests, rate } = stretch;
        if deploys.before(at) > deployed {
            deployed = deploys.before(at);
            kept.most.clear();
        }
        let live = kept.now(at).max(provisioned as u64);
        let queue = server.wait(rate);
        limits.whole = whole + queue.mean;
        let Demand { busy, mut refused, mut cause } =
            limits.demand(stretch, live, random.uniform());
        let beyond = (requests as f64 * queue.refused).round() as u64;
        if beyond > refused {
            (refused, cause) = (beyond, Cause::Server);
        }
        let live_after = live.max(busy);
        kept.used(at.after(length), busy);
        let served = requests - refused.min(requests);
        let cold = (live_after - live).min(served);
        recorder.refused(at, cause, requests - served);
        recorder.cold(at, cold);
        recorder.starts += cold;
        let mut billed = 0.0;
        for (many, cold) in samples(cold)
            .map(|many| (many, true))
            .chain(samples(served - cold).map(|many| (many, false)))
        {
            let service = service.sample(&mut random);
            let queued = queue.sample(&mut random);
            let times = parts.times_of(service);
            let computing = fresh(parts.quota, times, &mut random);
            let run = computing + times.database + times.elsewhere + queued;
            let wait = if cold { cold_start.sample(&mut random) + start } else { 0.0 };
            let killed = run > parameters.run_limit_seconds.value;
            billed += run.min(parameters.run_limit_seconds.value) * many as f64;
            if killed {
                recorder.refused(at, Cause::TimeLimit, many);
            } else if run + wait > parts.limit {
                let own = run - queued + wait;
                let waited_for = if queued > 0.0 { Cause::Server } else { Cause::TimeLimit };
                recorder.refused(at, parts.late_cause(own, waited_for), many);
            } else {
                recorder.served(at, run + wait, wait + queued, many);
            }
        }
        // Rounding up to the step adds half of one on average. The samples alone would add their own noise.
        let mean = if whole < parameters.run_limit_seconds.value / 3.0 {
            served as f64 * (whole + queue.mean)
        } else {
            billed
        };
        let billed = mean + served as f64 * step / 2.0;
        // They are asked first: what finds all of them busy, by Erlang's formula, goes to the others.
        let in_provisioned = match provisioned {
            0 => 0.0,
            many => billed * (1.0 - erlang_b(many, rate * limits.whole)),
        };
        recorder.usage.provisioned_function_seconds += in_provisioned;
        recorder.usage.function_seconds +=
            billed - in_provisioned + cold as f64 * (init + start) * parameters.init_billed.value;
        recorder.usage.instance_seconds += live_after as f64 * length;
        recorder.usage.processor_seconds += served as f64 * parts.service * parts.processor;
        recorder.instances(at, live_after);
        recorder.connections(at, live_after * per_environment);
        if index % 16_384 == 0 {
            setup.options.progress.at(at.seconds() / span);
        }
    }
    recorder
}

/// What bounds the environments.
struct Limits {
    whole: f64,
    cold: f64,
    most: usize,
    rate: f64,
    burst: f64,
    /// Requests in environments.
    present: Occupancy,
}

/// What a stretch asks for.
struct Demand {
    busy: u64,
    refused: u64,
    cause: Cause,
}

impl Limits {
    fn demand(&mut self, stretch: Stretch, live: u64, uniform: f64) -> Demand {
        let before = self.present.now();
        let load = self.present.pass(stretch.rate, self.whole, stretch.length);
        // A refused request does not stay.
        self.present.limit(self.most as f64);
        self.demanded(stretch, live, uniform, (before, load))
    }

    /// The last argument is the number of requests at the beginning, and on average.
    fn demanded(
        &self,
        stretch: Stretch,
        live: u64,
        uniform: f64,
        (before, load): (f64, f64),
    ) -> Demand {
        let Stretch { length, requests, rate, .. } = stretch;
        if requests == 0 {
            let busy = (before.round() as u64).min(self.most as u64);
            return Demand { busy, refused: 0, cause: Cause::Environments };
        }
        // Requests beyond what lives need a start each, and hold their environment for so much longer.
        // By Erlang's formula: some find all busy long before the mean load is as large as what lives.
        let surplus = rate * erlang_b(live as usize, load) * self.cold;
        let mut busy = most_busy(rate, self.whole, length, uniform).max(1) + surplus as u64;
        // No more than come, and than are left from before.
        busy = busy.min(requests + before.ceil() as u64);
        let most = self.most as u64;
        let mut refused = (1.0 - self.rate / rate).max(0.0);
        let mut cause = Cause::RequestRate;
        if busy > most {
            let blocked = erlang_b(self.most, load);
            if blocked > refused {
                (refused, cause) = (blocked, Cause::Environments);
            }
            busy = most;
        }
        let reachable = live + (self.burst * length).ceil() as u64;
        if busy > reachable {
            // On the way from what lives to what is needed, half of the difference is missing on average.
            let missing = (load - reachable as f64 / 2.0 - live as f64 / 2.0).max(0.0) / load;
            if missing > refused {
                (refused, cause) = (missing.min(1.0), Cause::Burst);
            }
            busy = reachable;
        }
        Demand { busy, refused: (requests as f64 * refused).round() as u64, cause }
    }
}

/// The largest number within the time that has passed.
struct Kept {
    keep: f64,
    most: VecDeque<(Nanos, u64)>,
}

impl Kept {
    fn new(keep: f64) -> Self {
        Self { keep, most: VecDeque::new() }
    }

    fn used(&mut self, at: Nanos, busy: u64) {
        while self.most.back().is_some_and(|(_, many)| *many <= busy) {
            self.most.pop_back();
        }
        self.most.push_back((at, busy));
    }

    fn now(&mut self, at: Nanos) -> u64 {
        while self.most.front().is_some_and(|(used, _)| at.since(*used) > self.keep) {
            self.most.pop_front();
        }
        self.most.front().map_or(0, |(_, many)| *many)
    }
}
