//! What the planner must know about an App: how long a request takes, and what it takes meanwhile.

mod access_log;
mod distribution;

use anyhost_core::db::{Kind, Pooler};

pub use access_log::{AccessLogError, measure};
pub(crate) use distribution::seconds;
pub use distribution::{Distribution, DistributionError};

/// What the planner must know about an App.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// How long a request takes on a whole processor that has nothing else to do.
    pub service: Distribution,
    /// The share of that time in which the request holds a database connection.
    pub database_share: f64,
    /// The share of that time in which the request keeps a processor busy. What is left of both shares is waiting
    /// for others, which costs neither.
    pub processor_share: f64,
    /// Memory that the App needs, in GB.
    pub memory_gb: f64,
    /// How long `App::start` takes, on top of what a host needs for a program that does nothing; in seconds.
    pub start: f64,
    /// The database behind it.
    pub database: Database,
}

/// The database server and what it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Database {
    /// The kind of server.
    pub kind: Kind,
    /// The most connections it takes.
    pub max_connections: usize,
    /// Those that are not ours to use.
    pub reserved: usize,
    /// What stands before it.
    pub pooler: Pooler,
    /// The most client connections the pooler takes; without one it is not asked.
    pub pooler_connections: usize,
}

impl Database {
    /// The most connections that whatever the App talks to takes.
    #[must_use]
    pub fn limit(&self) -> usize {
        match self.pooler {
            Pooler::None => self.max_connections,
            Pooler::PgBouncer | Pooler::PgBouncerPrepared | Pooler::RdsProxy => {
                self.pooler_connections
            }
        }
    }
}

impl Default for Workload {
    /// 20 ms on average, a heavy tail, 60 % of it in the database; 512 MB; PostgreSQL with its own default limit.
    fn default() -> Self {
        Self {
            service: Distribution::log_normal(0.0143, 0.1)
                .expect("the 99th percentile is above the median"),
            database_share: 0.6,
            processor_share: 0.4,
            memory_gb: 0.5,
            start: 0.05,
            database: Database::default(),
        }
    }
}

impl Default for Database {
    /// PostgreSQL as it comes: 100 connections, 3 of them for superusers; no pooler.
    fn default() -> Self {
        Self {
            kind: Kind::Postgres,
            max_connections: 100,
            reserved: 3,
            pooler: Pooler::None,
            pooler_connections: 10_000,
        }
    }
}
