//! Instances that answer many requests at once, stretch by stretch.
//! Long because all rules of a stretch read and change the same state.

use std::collections::VecDeque;

use super::process::{Latency, Process};
use super::server::Server;
use super::settled::SettledRate;
use super::stretches::{Stretch, samples, stretches};
use super::waits::{WaitTable, Waits};
use crate::Random;
use crate::hosts::{Balancing, Fleet, Scaling};
use crate::simulation::deploys::Deploys;
use crate::simulation::nodes::Starts;
use crate::simulation::occupancy::Occupancy;
use crate::simulation::parts::Parts;
use crate::simulation::recorder::Recorder;
use crate::simulation::scaler::{Observation, Scaler};
use crate::simulation::setup::Setup;
use crate::simulation::{Cause, Nanos};
use crate::theory::{billed_share, most_busy};

/// The share of its capacity up to which a station counts as settled; beyond it, what comes piles up.
const SETTLED: f64 = 0.995;

/// Instances whose connections are followed, one for all that are like it.
const FOLLOWED: usize = 4;

/// Each stretch has so many instances, one rate, and the waits of a settled queue or of a pile.
pub(crate) fn fleet(setup: &Setup<'_>, model: &Fleet) -> Recorder {
    let mut run = Run::new(setup, model);
    let period = Scaler::period(&model.scaling);
    let span = setup.traffic.span();
    let mut due = Nanos::from_seconds(period);
    let mut mean = Mean::default();
    for (index, stretch) in stretches(setup.traffic, period, setup.options.stretches).enumerate() {
        while run.starting.front().is_some_and(|at| *at <= stretch.at) {
            run.starting.pop_front();
            run.ready += 1;
        }
        mean.add(run.pass(stretch), stretch.length);
        if stretch.at >= due {
            let seen = mean.take(&mut run);
            run.scale(stretch.at, seen);
            due = stretch.at.after(period);
        }
        if index % 16_384 == 0 {
            setup.options.progress.at(stretch.at.seconds() / span);
        }
    }
    run.recorder
}

/// Averages over the time since the last scaling decision.
#[derive(Debug, Default)]
struct Mean {
    busy_cores: f64,
    in_flight: f64,
    length: f64,
}

impl Mean {
    fn add(&mut self, (busy_cores, in_flight): (f64, f64), length: f64) {
        self.busy_cores += busy_cores * length;
        self.in_flight += in_flight * length;
        self.length += length;
    }

    fn take(&mut self, run: &mut Run<'_>) -> Observation {
        let Self { busy_cores, in_flight, length } = std::mem::take(self);
        let in_flight = in_flight / length;
        // The number at one moment is Poisson. What asks for it asks whether it is 0.
        let none = matches!(run.model.scaling, Scaling::Autostop { .. })
            && run.random.uniform() < (-in_flight).exp();
        Observation {
            ready: run.ready,
            all: run.ready + run.starting.len(),
            busy_cores: busy_cores / length,
            in_flight,
            pending: 0,
            present: Some(if none { 0.0 } else { in_flight.max(1.0) }),
        }
    }
}

struct Run<'a> {
    setup: &'a Setup<'a>,
    model: &'a Fleet,
    parts: Parts,
    random: Random,
    recorder: Recorder,
    ready: usize,
    starting: VecDeque<Nanos>,
    starts: Starts,
    scaler: Scaler,
    places: f64,
    /// Requests that one process lets in at once.
    limit: f64,
    /// The pooler's server connections and the server's processors.
    server: Server,
    /// Requests in the system, and those of them with a connection.
    present: Occupancy,
    asking: Occupancy,
    /// Waits in one process, by how evenly requests are dealt to instances.
    tables: [WaitTable; 4],
    /// Requests a second of one process, as its queues know them.
    settled: SettledRate,
    /// Requests that have piled up before the processors.
    pile: f64,
    /// Instances before which it has.
    holders: f64,
    /// Connections used lately by a few instances: now, and in the stretch before.
    used: [[u64; 2]; FOLLOWED],
    turned: Nanos,
    deploys: Deploys,
    deployed: u64,
    /// When a deploy has stopped the process, and when it is back.
    down: (Nanos, Nanos),
    /// Requests that have piled up before the server.
    server_pile: f64,
}

impl<'a> Run<'a> {
    fn new(setup: &'a Setup<'a>, model: &'a Fleet) -> Self {
        let parameters = &model.parameters;
        let cores = setup.configuration.size.cores;
        let places =
            parameters.concurrency_per_core.as_ref().map(|c| (c.value * cores).max(1.0) as usize);
        let (least, most) = (setup.configuration.least, setup.configuration.most);
        let mut starts = Starts::new(parameters, cores, setup.workload.start);
        starts.begin(setup.first);
        Self {
            setup,
            model,
            parts: setup.parts(),
            random: Random::new(setup.options.seed ^ 0x666c_6565_7400),
            recorder: Recorder::new(setup),
            ready: setup.first,
            starting: VecDeque::new(),
            starts,
            scaler: Scaler::new(&model.scaling, cores, places, least, most),
            places: places.map_or(f64::INFINITY, |many| many as f64),
            limit: setup.configuration.max_in_flight.map_or(f64::INFINITY, |most| most as f64),
            server: Server::new(setup),
            present: Occupancy::new(setup.workload.service.variability()),
            asking: Occupancy::new(setup.parts().variability.1),
            tables: Default::default(),
            settled: SettledRate::default(),
            pile: 0.0,
            holders: 1.0,
            used: [[0, 0]; FOLLOWED],
            turned: Nanos(0),
            deploys: Deploys::new(
                setup.options.deploys_per_day,
                parameters.deploy_seconds.value,
                parameters.overlap.value,
            ),
            deployed: 0,
            down: (Nanos(0), Nanos(0)),
            server_pile: 0.0,
        }
    }

    /// Gives the processors and the requests that were busy on average.
    fn pass(&mut self, stretch: Stretch) -> (f64, f64) {
        let Stretch { at, length, requests, rate } = stretch;
        let mut rest = requests;
        if self.ready == 0 && requests > 0 {
            rest -= self.wake(stretch);
        }
        let many = self.ready.max(1) as f64;
        let service = self.parts.service;
        let demand = self.parts.processor * service;
        let can = self.capacity(length);
        // What has piled up stays with those it has piled up before: instances that come later take no part of it.
        if self.pile == 0.0 || rate > can * SETTLED {
            self.holders = many;
        }
        let held = self.holders.min(many) / many;
        let piled = self.pile;
        self.pile = (self.pile + (rate - can * SETTLED) * held * length).max(0.0);
        let server_can = self.server.capacity();
        // Requests that are neither computing nor waiting for it.
        let elsewhere = rate.min(can) * service * (1.0 - self.parts.processor);
        let room = self.limit * many * held - elsewhere;
        // Requests are turned away that would wait longer than the longest wait, or that the limit does not let in.
        let patience = self.model.parameters.patience_seconds.value.min(self.parts.limit);
        // If the host counts places, those that have one wait for a processor beyond that.
        let inside = if self.places.is_finite() { self.places * many } else { 0.0 };
        let waiting = (patience * can + inside).min(self.parts.limit * can) * held;
        let bound = waiting.min(room.max(0.0));
        let too_many = (self.pile - bound).max(0.0);
        self.pile -= too_many;
        let shortage = if self.ready < self.setup.configuration.most {
            Cause::Scaler
        } else {
            Cause::Instances
        };
        let full = bound < waiting;
        let turned_away = (too_many.round() as u64).min(rest);
        self.recorder.refused(at, if full { Cause::InFlight } else { shortage }, turned_away);
        let acquire = self.setup.pool.as_ref().map_or(0.0, |pool| pool.acquire);
        let (late, borrowing) =
            self.pile_up_before_server(rate.min(can), server_can, acquire, length, many);
        let late = (late.round() as u64).min(rest - turned_away);
        let full = self.limit * many < acquire * server_can;
        self.recorder.refused(at, if full { Cause::InFlight } else { Cause::Server }, late);
        let served = rest - turned_away - late;
        let fluid = (piled + self.pile) / 2.0 / (can * held);
        let (longest, outage) = self.outage(stretch);
        let down = self.down.1.since(self.down.0);
        self.recorder.cold(at, ((rate * outage).round() as u64).min(served));
        let queue = self.server.wait(rate);
        // What a quota adds to the time of a request that has its processor for itself.
        let throttled = 1.0 / self.parts.share - 1.0;
        let parts = self.parts;
        let stages = self.stages();
        let process = Process {
            parts: &parts,
            service: &self.setup.workload.service,
            pool: self.setup.pool.as_ref().map(|pool| (pool.size, pool.acquire)),
            stages: 1 << stages,
        };
        let mut table = std::mem::take(&mut self.tables[stages]);
        let each = self.settled.pass(rate.min(can) / many, length, process.can());
        let waits = table.at(&process, each);
        for weight in samples(served) {
            let before = if self.random.uniform() < held { fluid } else { 0.0 };
            let interrupted = if self.random.uniform() * length < outage {
                longest - outage * self.random.uniform()
            } else {
                0.0
            };
            if self.random.uniform() < waits.refused() {
                self.recorder.refused(at, Cause::Pool, weight);
                continue;
            }
            let Latency { whole, waited: queued } = waits.sample(&mut self.random);
            let borrowed = if borrowing > 0.0 {
                (borrowing.min(acquire) - queued).max(0.0)
            } else {
                queue.sample(&mut self.random)
            };
            // A request that waits so long has found so many before it. The backlog is bounded already.
            let most = (self.limit - 1.0).max(0.0);
            let piled_up = (before + queued).min(most * many / can);
            let ahead = if before > 0.0 { 0.0 } else { queued * can }
                + if borrowing > 0.0 || borrowed == 0.0 { 0.0 } else { borrowed * server_can }
                + if interrupted > 0.0 { (down - interrupted) * rate } else { 0.0 };
            if ahead > most * many {
                self.recorder.refused(at, Cause::InFlight, weight);
                continue;
            }
            let wait = piled_up + interrupted + borrowed;
            let service = whole - queued;
            let latency = wait + service;
            if latency > self.parts.limit {
                let own = service + self.parts.times_of(service).processor() * throttled;
                self.recorder.refused(at, self.parts.late_cause(own, shortage), weight);
            } else {
                self.recorder.served(at, latency, wait, weight);
            }
        }
        let wait = fluid * held + waits.mean() + queue.mean;
        let in_flight = self.present.pass(rate.min(can), wait + service, length);
        self.recorder.usage.processor_seconds += served as f64 * demand;
        self.account(stretch, many, in_flight, &waits);
        self.tables[stages] = table;
        let busy = rate.min(can).min(many * self.parts.can()) * demand;
        (busy, in_flight)
    }

    /// How evenly requests are dealt to instances, as a table: in turn to 1, 2 or 3, 4 to 7, 8 or more of them.
    fn stages(&self) -> usize {
        match self.model.balancing {
            Balancing::Random => 0,
            Balancing::RoundRobin => (self.ready.max(1).ilog2() as usize).min(3),
        }
    }

    /// The part of this stretch in which a deploy has stopped the old process and the new one is not ready: how long the
    /// first request of it waits, and how long it is; in seconds.
    fn outage(&mut self, stretch: Stretch) -> (f64, f64) {
        let Stretch { at, length, .. } = stretch;
        let end = at.after(length);
        let deploys = self.deploys.before(end);
        if deploys > self.deployed && self.deploys.interrupts() {
            let start = self.model.parameters.start_seconds.value + self.setup.workload.start;
            let moment = self.deploys.moment(deploys - 1);
            self.down = (moment, moment.after(start));
        }
        self.deployed = deploys;
        let (down, back) = self.down;
        let begin = down.max(at);
        (back.since(begin), back.min(end).since(begin))
    }

    /// Requests that come faster than the server answers pile up for as long as they wait for a connection; the rest gets
    /// none. Gives how many that are, and the wait of the others in seconds.
    fn pile_up_before_server(
        &mut self,
        rate: f64,
        can: f64,
        acquire: f64,
        length: f64,
        many: f64,
    ) -> (f64, f64) {
        if !can.is_finite() {
            return (0.0, 0.0);
        }
        let before = self.server_pile;
        let pile = (before + (rate - can) * length).max(0.0);
        self.server_pile = pile.min(acquire * can).min(self.limit * many);
        (pile - self.server_pile, (before + self.server_pile) / 2.0 / can)
    }

    /// The most requests per second of all instances in a stretch of this length.
    fn capacity(&self, length: f64) -> f64 {
        let many = self.ready.max(1) as f64;
        let parts = &self.parts;
        // Those that get no connection have computed up to there, and give up.
        let by_processors = many * parts.can_begin();
        if self.places.is_infinite() {
            return by_processors;
        }
        // Places that are free fill up at once; those that are taken are free after a request's time. In a stretch that is much
        // longer than a request that is Little's law.
        let left = (-length / parts.service.max(1e-9)).exp();
        let free = many * self.places - self.present.now() * left;
        let filling = free / (parts.service * (1.0 - left)).max(1e-9);
        by_processors.min(filling.max(many * self.places / parts.service))
    }

    /// The first requests after a time without any instance: gives how many wait for one.
    fn wake(&mut self, stretch: Stretch) -> u64 {
        if self.starting.is_empty() {
            let start = self.starts.ask(stretch.at, 1);
            // As many as take the requests that come until the first is there.
            let many = stretch.rate * start.since(stretch.at) / self.places;
            let many = (many.ceil() as usize).clamp(1, self.setup.configuration.most.max(1));
            self.starting.push_back(start);
            for index in 1..many {
                self.starting.push_back(self.starts.ask(stretch.at, index + 1));
            }
            self.recorder.starts += many as u64;
        }
        let wait = self.starting.front().map_or(0.0, |ready| ready.since(stretch.at));
        let cold = ((stretch.rate * wait) as u64 + 1).min(stretch.requests);
        self.recorder.cold(stretch.at, cold);
        for weight in samples(cold) {
            let waited = if weight == cold { wait } else { wait * self.random.uniform() };
            let service = self.setup.workload.service.sample(&mut self.random);
            let latency = waited + service;
            if latency > self.parts.limit {
                let own = service;
                let cause = self.parts.late_cause(own, Cause::Scaler);
                self.recorder.refused(stretch.at, cause, weight);
            } else {
                self.recorder.served(stretch.at, latency, waited, weight);
            }
        }
        cold
    }

    fn account(&mut self, stretch: Stretch, many: f64, in_flight: f64, waits: &Waits<'_>) {
        let Stretch { at, length, rate, .. } = stretch;
        let factor = self.deploys.factor(at);
        let all = (self.ready + self.starting.len()) as f64;
        self.recorder.usage.instance_seconds += all * factor * length;
        self.recorder.usage.node_seconds += self.starts.nodes() as f64 * length;
        self.recorder.instances(at, (all * factor).ceil() as u64);
        let step = self.model.parameters.active_step_seconds.as_ref().map_or(0.0, |s| s.value);
        let active = if rate > 0.0 {
            billed_share(rate / many, in_flight / rate, step)
        } else {
            // What has come before is Poisson.
            1.0 - (-in_flight / many).exp()
        };
        if self.ready > 0 || stretch.requests > 0 {
            self.recorder.usage.active_seconds += active * many * length;
        }
        let Some(plan) = &self.setup.pool else { return };
        let (size, warm) = (plan.size as u64, plan.warm as u64);
        let turn = at.since(self.turned) >= plan.idle / 2.0;
        if turn {
            self.turned = at;
        }
        // No more have a connection than had one before and have come since.
        let there = ((self.asking.now() + stretch.requests as f64) / many).ceil() as u64;
        self.asking.pass(rate, waits.held(), length);
        let mut open = 0;
        for used in &mut self.used {
            if turn {
                *used = [0, used[0]];
            }
            let now = match stretch.requests {
                0 => 0,
                _ => {
                    let uniform = self.random.uniform();
                    let most = most_busy(rate / many, waits.held(), length, uniform);
                    // Those that wait for a processor with their connection come in crowds.
                    let most = most.max(waits.peak(stretch.requests as f64 / many, uniform));
                    most.min(there).min(size)
                }
            };
            used[0] = used[0].max(now);
            open += used[0].max(used[1]).max(warm);
        }
        let open = open as f64 / FOLLOWED as f64 * self.ready as f64 * factor;
        self.recorder.connections(at, open.ceil() as u64);
    }

    fn scale(&mut self, now: Nanos, seen: Observation) {
        let all = |run: &Self| run.ready + run.starting.len();
        let wanted = self.scaler.decide(now, seen);
        while all(self) < wanted {
            let at = self.starts.ask(now, all(self) + 1);
            self.starting.push_back(at);
            self.recorder.starts += 1;
        }
        if wanted < all(self) {
            self.ready = wanted.saturating_sub(self.starting.len());
        }
        self.starts.shrink(now, all(self));
    }
}
