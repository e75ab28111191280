//! What the requests of one process wait for processors and connections, by its load.
//!
//! Erlang's formulas know one station at a time. Here a request comes back to the first one and keeps the second meanwhile,
//! and a quota throttles both at once: the waits depend on each other. A short simulation of one process knows that.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::process::{BLOCK, HIGHEST, Latency, Process, QUANTILES, Row};
use crate::Random;
use crate::simulation::parts::Parts;
use crate::workload::Distribution;

/// The loads that are simulated, as shares of what the process can carry.
const LOADS: [f64; 19] = [
    0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.05, 1.2, 1.5, 2.0, 3.0,
    HIGHEST,
];

/// The waits of a process at every load; each is simulated when it is first needed.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitTable {
    rows: [Option<Arc<Row>>; LOADS.len()],
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
            self.rows[index].get_or_insert_with(|| row(process, known(index)));
        }
        // A queue grows as 1 / (1 - load).
        let grown = |load: f64| if known(above) < 1.0 { 1.0 / (1.0 - load) } else { load };
        let [low, high, load] = [known(below), known(above), load].map(grown);
        let weight = if high > low { (load - low) / (high - low) } else { 1.0 };
        let at = |index: usize| self.rows[index].as_deref().expect("simulated above");
        let beyond = if offered > highest && highest > 1.0 { highest / offered } else { 1.0 };
        Waits { below: at(below), above: at(above), weight, beyond }
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
            f64::from(row.peaks[((within * many as f64) as usize).min(many - 1)])
        });
        // A pool is smaller than 2^53.
        most.round() as u64
    }
}

/// The rows of this program's runs: a search simulates the same process many times.
static KNOWN: Mutex<VecDeque<KnownRow>> = Mutex::new(VecDeque::new());

/// Rows that are kept, of some 30 KB each.
const KEPT: usize = 500;

struct KnownRow {
    parts: Parts,
    service: Distribution,
    pool: Option<(usize, f64)>,
    stages: usize,
    load: f64,
    row: Arc<Row>,
}

impl KnownRow {
    fn is_of(&self, process: &Process<'_>, load: f64) -> bool {
        let Process { parts, service, pool, stages } = process;
        let same = self.parts == **parts && self.service == **service;
        same && (self.pool, self.stages, self.load) == (*pool, *stages, load)
    }
}

/// Simulates a process at a load, but not a second time.
fn row(process: &Process<'_>, load: f64) -> Arc<Row> {
    let all = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known =
        all().iter().find(|known| known.is_of(process, load)).map(|known| Arc::clone(&known.row));
    if let Some(row) = known {
        return row;
    }
    let row = Arc::new(process.waits(load));
    let Process { parts, service, pool, stages } = *process;
    let (parts, service) = (*parts, service.clone());
    let mut all = all();
    all.truncate(KEPT - 1);
    all.push_front(KnownRow { parts, service, pool, stages, load, row: Arc::clone(&row) });
    row
}
