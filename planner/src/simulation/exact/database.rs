//! What all processes share: the pooler's server connections and the database server's processors.

use super::instance::Request;
use crate::simulation::Nanos;
use crate::simulation::station::Station;
use crate::workload::Database;

/// How long a query waits for a server connection: PgBouncer's default `query_wait_timeout`, RDS Proxy's default borrow
/// timeout; in seconds.
const POOLER_PATIENCE: f64 = 120.0;

/// A query of a request, and the process it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query {
    pub(crate) instance: usize,
    pub(crate) request: Request,
}

/// What happens to a query next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// It has computed on the server; the rest of its time is waiting for disks and locks.
    Computed(Query),
    /// It is done and has let go of its server connection.
    Done(Query),
    /// It waited too long.
    GaveUp(Query),
}

/// The server connections of a pooler and the processors of the server. Either may be unlimited.
#[derive(Debug)]
pub(crate) struct Server {
    connections: Option<Station<Query>>,
    processors: Option<Station<Query>>,
    cpu_share: f64,
    /// Steps and when they happen, for the caller to schedule.
    pub(crate) steps: Vec<(Nanos, Step)>,
}

impl Server {
    pub(crate) fn new(database: Option<&Database>) -> Self {
        let connections = database.and_then(Database::server_connections).map(Station::new);
        let processors = database.and_then(|database| database.cpus).map(Station::new);
        let cpu_share = database.map_or(0.0, |database| database.cpu_share);
        Self { connections, processors, cpu_share, steps: Vec::new() }
    }

    /// Whether queries never wait for each other here.
    pub(crate) fn unlimited(&self) -> bool {
        self.connections.is_none() && self.processors.is_none()
    }

    pub(crate) fn begin(&mut self, now: Nanos, query: Query) {
        match &mut self.connections {
            None => self.compute(now, query),
            Some(connections) => {
                if let Some(query) = connections.enter(now, query) {
                    self.compute(now, query);
                }
            }
        }
    }

    fn compute(&mut self, now: Nanos, query: Query) {
        match &mut self.processors {
            None => self.steps.push((now.after(query.request.times.database), Step::Done(query))),
            Some(processors) => {
                if let Some(query) = processors.enter(now, query) {
                    self.computing(now, query);
                }
            }
        }
    }

    fn computing(&mut self, now: Nanos, query: Query) {
        let at = now.after(query.request.times.database * self.cpu_share);
        self.steps.push((at, Step::Computed(query)));
    }

    pub(crate) fn computed(&mut self, now: Nanos, query: Query) {
        let rest = query.request.times.database * (1.0 - self.cpu_share);
        self.steps.push((now.after(rest), Step::Done(query)));
        let Some(processors) = &mut self.processors else { return };
        if let Some((mut next, waited)) = processors.leave(now, f64::INFINITY, |_| ()) {
            next.request.waited += waited;
            self.computing(now, next);
        }
    }

    /// A query has let go of its server connection.
    pub(crate) fn done(&mut self, now: Nanos) {
        let Some(connections) = &mut self.connections else { return };
        let steps = &mut self.steps;
        let next = connections.leave(now, POOLER_PATIENCE, |late| {
            steps.push((now, Step::GaveUp(late)));
        });
        if let Some((mut next, waited)) = next {
            next.request.waited += waited;
            self.compute(now, next);
        }
    }
}
