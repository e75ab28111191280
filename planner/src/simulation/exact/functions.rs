//! Environments that answer one request at a time, request by request.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::Random;
use crate::model::FunctionParameters;
use crate::simulation::Nanos;
use crate::simulation::recorder::Recorder;
use crate::simulation::run::{Deploys, Setup};
use crate::traffic::Arrivals;

/// A request takes the environment that was used last; without an idle one, a new one is started for it and it waits;
/// beyond the limits it is turned away at once (429).
pub(crate) fn functions(setup: &Setup<'_>, parameters: &FunctionParameters) -> Recorder {
    let parts = setup.parts();
    let span = setup.traffic.span();
    let mut recorder = Recorder::new(span, setup.size.cores, setup.size.memory_gb);
    let mut random = Random::new(setup.options.seed);
    let cold_start = parameters.cold_start_ms.distribution().expect("checked when it was read");
    let init = parameters.init_ms.distribution().expect("checked when it was read");
    let deploys = Deploys::new(setup.options.deploys_per_day, 0.0, 1.0);
    let most = setup.deployment.instances;
    let per_environment = setup.plan().size() as u64;
    let keep = parameters.keep_warm_seconds.value;
    let step = parameters.billing_step_ms.value / 1000.0;

    let mut busy: BinaryHeap<Reverse<Nanos>> = BinaryHeap::new();
    // The last is the one used last; so the first is the one unused for longest.
    let mut idle: VecDeque<Nanos> = VecDeque::new();
    let mut burst =
        Window::new(parameters.burst_seconds.value, parameters.burst_environments.value);
    let rate = parameters.requests_per_environment_second.value * most as f64;
    let mut requests = Window::new(1.0, rate);
    let (mut deployed, mut last, mut live) = (0, Nanos(0), 0_u64);
    for (index, now) in Arrivals::new(setup.traffic, setup.options.seed).enumerate() {
        while let Some(Reverse(end)) = busy.peek().copied().filter(|Reverse(end)| *end <= now) {
            busy.pop();
            idle.push_back(end);
        }
        if deploys.before(now) > deployed {
            deployed = deploys.before(now);
            idle.clear();
        }
        // Environments that go are counted when the next request comes: their time ran out before it.
        while idle.front().is_some_and(|since| now.since(*since) > keep) {
            idle.pop_front();
        }
        let service = setup.workload.service.sample(&mut random);
        let whole = service * parts.whole();
        let allowed = requests.take(now) && busy.len() < most;
        let start = if !allowed {
            None
        } else if idle.pop_back().is_some() {
            Some(0.0)
        } else {
            let start = cold_start.sample(&mut random) + setup.workload.start;
            burst.take(now).then_some(start)
        };
        let Some(start) = start else {
            recorder.refused(now, 1);
            continue;
        };
        if start > 0.0 {
            recorder.cold(now, 1);
            recorder.starts += 1;
            let init = init.sample(&mut random) + setup.workload.start;
            recorder.usage.function_seconds += init * parameters.init_billed.value;
        }
        recorder.usage.function_seconds += (whole / step).ceil() * step;
        recorder.served(now, start + whole, start, 1);
        busy.push(Reverse(now.after(start + whole)));
        recorder.usage.instance_seconds += live as f64 * now.since(last);
        (last, live) = (now, (busy.len() + idle.len()) as u64);
        recorder.instances(now, live);
        recorder.connections(now, live * per_environment);
        if index % 65_536 == 0 {
            setup.options.progress.at(now.seconds() / span);
        }
    }
    // The environments that are left live until nobody has used them for long enough.
    let rest = (span - last.seconds()).max(0.0);
    recorder.usage.instance_seconds += live as f64 * rest.min(keep);
    recorder.instances(last.after(rest.min(keep)), if rest > keep { 0 } else { live });
    recorder.connections(
        last.after(rest.min(keep)),
        if rest > keep { 0 } else { live * per_environment },
    );
    recorder
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
