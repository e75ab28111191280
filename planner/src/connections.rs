//! How many connections each process of a deployment holds. The arithmetic is core's own plan, asked for the deployment
//! at hand; nothing else in this crate talks to it.

use anyhost_core::Paradigm;
use anyhost_core::db::{Error, Inputs, Plan};

use crate::workload::{ADMIN, Database};

/// How one process holds its connections, by core's plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// The most connections of one process.
    pub size: usize,
    /// Connections that are open before the process is ready.
    pub warm: usize,
    /// How long a request waits for a connection, in seconds.
    pub acquire: f64,
    /// How long an unused connection stays open, in seconds.
    pub idle: f64,
    /// Core's arithmetic in a sentence.
    pub explanation: String,
}

impl From<Plan> for Pool {
    fn from(plan: Plan) -> Self {
        Self {
            size: plan.size(),
            warm: plan.warm(),
            acquire: plan.acquire_timeout().as_secs_f64(),
            idle: plan.idle_timeout().as_secs_f64(),
            explanation: plan.explain().to_owned(),
        }
    }
}

/// The facts about a deployment that core's plan needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deployment {
    /// How the host runs processes.
    pub paradigm: Paradigm,
    /// Processors of one process, or the share of one.
    pub cores: f64,
    /// Requests that a serverless host gives one process at once.
    pub concurrency: usize,
    /// The most processes.
    pub instances: usize,
    /// How many times as many processes there are during a deploy.
    pub overlap: f64,
    /// `DATABASE_POOL_SIZE`; `None`: core's own formula.
    pub pool_size: Option<usize>,
}

impl Deployment {
    /// What the App would start with.
    ///
    /// # Errors
    /// What core says if it does not fit the database.
    pub fn pool(&self, database: &Database) -> Result<Pool, Error> {
        Plan::new(&self.inputs(database)).map(Pool::from)
    }

    /// Core's inputs.
    #[must_use]
    pub fn inputs(&self, database: &Database) -> Inputs {
        Inputs {
            paradigm: self.paradigm,
            kind: database.kind,
            // As core counts processors: whole ones, at least one.
            cpus: self.cores.ceil().max(1.0) as usize,
            concurrency: self.concurrency,
            instances: Some(self.instances),
            overlap: self.overlap(),
            max_connections: Some(database.limit()),
            reserved: database.reserved,
            account_limit: None,
            database_limit: None,
            taken: 0,
            pool_size: self.pool_size,
            pooler: database.pooler,
            acquire_timeout: None,
            connect_timeout: None,
        }
    }

    fn overlap(&self) -> f64 {
        match self.paradigm {
            Paradigm::LongRunning => self.overlap,
            // Core's own rule: concurrency is limited per function, whatever its version.
            Paradigm::Serverless => 1.0,
        }
    }

    /// The least `max_connections` with which every process may hold `pool` connections, by core's arithmetic.
    #[must_use]
    pub fn least_max_connections(&self, pool: usize, reserved: usize) -> usize {
        // A small positive number.
        let processes = (self.instances as f64 * self.overlap() * pool as f64).ceil() as usize;
        processes + reserved + ADMIN
    }

    /// The largest number of instances with which `pool` connections for each fit the database; 0 if none do.
    #[must_use]
    pub fn most_instances(&self, database: &Database) -> usize {
        let fits = |instances| Self { instances, ..*self }.pool(database).is_ok();
        if fits(self.instances) {
            return self.instances;
        }
        // A plan that fits some number of instances fits any smaller one.
        let (mut most, mut fails) = (0, self.instances);
        while fails - most > 1 {
            let middle = most + (fails - most) / 2;
            if fits(middle) { most = middle } else { fails = middle }
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(paradigm: Paradigm, cores: f64, instances: usize) -> Deployment {
        Deployment { paradigm, cores, concurrency: 1, instances, overlap: 2.0, pool_size: None }
    }

    #[test]
    fn a_deployment_is_as_large_as_core_allows_and_no_larger() {
        let database = Database::default();
        let small = deployment(Paradigm::LongRunning, 2.0, 3);
        assert_eq!(small.pool(&database).expect("fits").size, 5);
        let large = deployment(Paradigm::LongRunning, 2.0, 1000);
        assert_eq!(large.most_instances(&database), 47);
        let functions = deployment(Paradigm::Serverless, 0.3, 1000);
        assert_eq!(functions.most_instances(&database), 94);
        let none = Database { max_connections: 6, ..database };
        assert_eq!(functions.most_instances(&none), 0);
    }

    #[test]
    fn the_least_max_connections_fits_and_one_less_does_not() {
        for paradigm in [Paradigm::LongRunning, Paradigm::Serverless] {
            for (instances, pool) in [(1, 1), (3, 5), (40, 2), (108, 1)] {
                let deployment =
                    Deployment { pool_size: Some(pool), ..deployment(paradigm, 1.0, instances) };
                let least = deployment.least_max_connections(pool, 3);
                let fits = |max_connections| {
                    deployment.pool(&Database { max_connections, ..Database::default() }).is_ok()
                };
                assert!(fits(least) && !fits(least - 1), "{paradigm:?} {instances} × {pool}");
            }
        }
    }
}
