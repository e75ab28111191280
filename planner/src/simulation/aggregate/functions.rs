//! Environments that answer one request at a time, stretch by stretch.

use std::collections::VecDeque;

use super::stretches::{Stretch, samples, stretches};
use crate::Random;
use crate::model::FunctionParameters;
use crate::simulation::Nanos;
use crate::simulation::recorder::Recorder;
use crate::simulation::run::{Deploys, Setup};
use crate::theory::{erlang_b, most_busy};

/// Since the environment used last is used first, as many live as were busy at once within the time they are kept: a
/// running maximum of the busiest moments, each drawn from its distribution. Cold starts are its rises.
pub(crate) fn functions(setup: &Setup<'_>, parameters: &FunctionParameters) -> Recorder {
    let span = setup.traffic.span();
    let parts = setup.parts();
    let whole = parts.service * parts.whole();
    let mut recorder = Recorder::new(span, setup.size.cores, setup.size.memory_gb);
    let mut random = Random::new(setup.options.seed);
    let cold_start = parameters.cold_start_ms.distribution().expect("checked when it was read");
    let init = parameters.init_ms.distribution().expect("checked when it was read").mean();
    let start = setup.workload.start;
    let deploys = Deploys::new(setup.options.deploys_per_day, 0.0, 1.0);
    let most = setup.deployment.instances;
    let per_environment = setup.plan().size() as u64;
    let step = parameters.billing_step_ms.value / 1000.0;
    let mut limits = Limits {
        whole,
        cold: cold_start.mean() + start,
        most,
        rate: parameters.requests_per_environment_second.value * most as f64,
        burst: parameters.burst_environments.value / parameters.burst_seconds.value,
        before: 0.0,
    };
    let mut kept = Kept::new(parameters.keep_warm_seconds.value);
    let mut deployed = 0;
    for (index, stretch) in stretches(setup.traffic, 10.0).enumerate() {
        let Stretch { at, length, requests, .. } = stretch;
        if deploys.before(at) > deployed {
            deployed = deploys.before(at);
            kept.most.clear();
        }
        let live = kept.now(at);
        let Demand { busy, refused } = limits.demand(stretch, live, random.uniform());
        let live_after = live.max(busy);
        kept.used(at.after(length), busy);
        let served = requests - refused.min(requests);
        let cold = (live_after - live).min(served);
        recorder.refused(at, requests - served);
        recorder.cold(at, cold);
        recorder.starts += cold;
        for (many, cold) in samples(cold)
            .map(|many| (many, true))
            .chain(samples(served - cold).map(|many| (many, false)))
        {
            let service = setup.workload.service.sample(&mut random) * parts.whole();
            let wait = if cold { cold_start.sample(&mut random) + start } else { 0.0 };
            recorder.served(at, service + wait, wait, many);
        }
        // Rounding up to the step adds half of one on average.
        recorder.usage.function_seconds += served as f64 * (whole + step / 2.0)
            + cold as f64 * (init + start) * parameters.init_billed.value;
        recorder.usage.instance_seconds += live_after as f64 * length;
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
    /// Requests per second of the stretch before.
    before: f64,
}

/// What a stretch asks for.
struct Demand {
    busy: u64,
    refused: u64,
}

impl Limits {
    fn demand(&mut self, stretch: Stretch, live: u64, uniform: f64) -> Demand {
        let demand = self.demanded(stretch, live, uniform);
        self.before = stretch.rate;
        demand
    }

    fn demanded(&self, stretch: Stretch, live: u64, uniform: f64) -> Demand {
        let Stretch { length, requests, rate, .. } = stretch;
        if requests == 0 {
            return Demand { busy: 0, refused: 0 };
        }
        let load = rate * self.whole;
        // Requests beyond what lives need a start each, and hold their environment for so much longer.
        let surplus = (rate - live as f64 / self.whole).max(0.0) * self.cold;
        let mut busy = most_busy(rate, self.whole, length, uniform).max(1) + surplus as u64;
        // No more than come, and than are left from before.
        let left = (self.before * self.whole).ceil() as u64;
        busy = busy.min(requests + left);
        let most = self.most as u64;
        let mut refused = (1.0 - self.rate / rate).max(0.0);
        if busy > most {
            refused = refused.max(erlang_b(self.most, load));
            busy = most;
        }
        let reachable = live + (self.burst * length).ceil() as u64;
        if busy > reachable {
            // On the way from what lives to what is needed, half of the difference is missing on average.
            let missing = (load - reachable as f64 / 2.0 - live as f64 / 2.0).max(0.0) / load;
            refused = refused.max(missing.min(1.0));
            busy = reachable;
        }
        Demand { busy, refused: (requests as f64 * refused).round() as u64 }
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
