//! What all processes share, in aggregate: the pooler's server connections and the database server's processors.

use crate::Random;
use crate::simulation::setup::Setup;
use crate::theory::Waiting;
use crate::workload::Database;

/// The share of its capacity up to which it counts as settled.
const SETTLED: f64 = 0.995;

/// Server connections and processors, each with a queue before it.
#[derive(Debug)]
pub(crate) struct Server {
    /// Servers, and the mean time of a query on one of them, in seconds.
    stations: Vec<(usize, f64)>,
    variability: f64,
}

/// The wait of a query at a rate.
#[derive(Debug)]
pub(crate) struct ServerWait {
    /// In seconds, over all queries.
    pub(crate) mean: f64,
    /// The share of queries for which the server has no room.
    pub(crate) refused: f64,
    stations: Vec<Waiting>,
}

impl Server {
    pub(crate) fn new(setup: &Setup<'_>) -> Self {
        let parts = setup.parts();
        let query = parts.service * parts.database;
        let database = setup.workload.database.as_ref().filter(|_| query > 0.0);
        let connections = database.and_then(Database::server_connections);
        let processors = database.and_then(|database| database.cpus);
        let share = database.map_or(0.0, |database| database.cpu_share);
        let stations = connections.map(|many| (many, query)).into_iter();
        let stations = stations.chain(processors.map(|many| (many, query * share))).collect();
        Self { stations, variability: parts.variability.1 }
    }

    /// The most queries a second.
    pub(crate) fn capacity(&self) -> f64 {
        let each = self.stations.iter().map(|(servers, time)| *servers as f64 / time.max(1e-12));
        each.fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn wait(&self, rate: f64) -> ServerWait {
        let settled = rate.min(self.capacity() * SETTLED);
        let at = |(servers, time): &(usize, f64)| {
            Waiting::at(*servers, settled, *time, 1.0, self.variability)
        };
        let stations = self.stations.iter().map(at).collect::<Vec<_>>();
        ServerWait {
            mean: stations.iter().map(|waiting| waiting.overall()).sum(),
            refused: if rate > 0.0 { 1.0 - settled / rate } else { 0.0 },
            stations,
        }
    }
}

impl ServerWait {
    /// One wait, in seconds.
    pub(crate) fn sample(&self, random: &mut Random) -> f64 {
        let one = |waiting: &Waiting| {
            if random.uniform() < waiting.chance {
                waiting.mean * random.exponential()
            } else {
                0.0
            }
        };
        self.stations.iter().map(one).sum()
    }
}
