//! What the planner must know about an App: how long a request takes, and what it takes meanwhile.

mod distribution;

use anyhost_core::db::{Kind, Pooler};
use serde::Serialize;

pub(crate) use distribution::seconds;
pub use distribution::{Distribution, DistributionError};

/// Connections that core leaves to people and their tools.
pub(crate) const ADMIN: usize = 3;

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
    /// The share of its processor time before its query. The rest it computes when the query is answered: it waits for a
    /// processor once more, and holds its connection meanwhile.
    pub processor_before: f64,
    /// How the processor time of a request follows its service time.
    pub processor_time: ProcessorTime,
    /// Memory that the App needs, in GB.
    pub memory_gb: f64,
    /// How long `App::start` takes, on top of what a host needs for a program that does nothing; in seconds.
    pub start: f64,
    /// How long a client waits for an answer, in seconds; `None`: as long as the host lets it.
    pub patience: Option<f64>,
    /// The database behind it; `None`: the App has none.
    pub database: Option<Database>,
}

/// How the processor time of a request follows its service time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessorTime {
    /// The same share of every request's time: a long request computes for longer.
    #[default]
    Proportional,
    /// The same time for every request, that share of the mean: a long request waits for longer.
    Constant,
}

/// The database server and what it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Database {
    /// The kind of server.
    pub kind: Kind,
    /// The most connections the server takes.
    pub max_connections: usize,
    /// Connections of the server that are not ours to use.
    pub reserved: usize,
    /// What stands in front of the server.
    pub pooler: Pooler,
    /// The most client connections the pooler takes; unused without one.
    pub pooler_connections: usize,
    /// The most server connections the pooler opens; `None`: all that the server has left.
    pub pooler_size: Option<usize>,
    /// Processors of the server; `None`: the server is never the bottleneck.
    pub cpus: Option<usize>,
    /// The share of a request's database time in which it keeps a processor of the server busy.
    pub cpu_share: f64,
}

impl Database {
    /// The most connections that an App may open to what it talks to: the pooler, or the server.
    #[must_use]
    pub fn limit(&self) -> usize {
        match self.pooler {
            Pooler::None => self.max_connections,
            Pooler::PgBouncer | Pooler::PgBouncerPrepared | Pooler::RdsProxy => {
                self.pooler_connections
            }
        }
    }

    /// Connections of the server that an App may use: without those that are reserved, and those that core leaves to
    /// people.
    #[must_use]
    pub fn usable(&self) -> usize {
        self.max_connections.saturating_sub(self.reserved + ADMIN)
    }

    /// Queries that the pooler lets run at once; `None` without a pooler.
    #[must_use]
    pub fn server_connections(&self) -> Option<usize> {
        match self.pooler {
            Pooler::None => None,
            Pooler::PgBouncer | Pooler::PgBouncerPrepared | Pooler::RdsProxy => {
                let usable = self.usable();
                Some(self.pooler_size.map_or(usable, |size| size.min(usable)).max(1))
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
            processor_before: 0.5,
            processor_time: ProcessorTime::default(),
            memory_gb: 0.5,
            start: 0.05,
            patience: None,
            database: Some(Database::default()),
        }
    }
}

impl Default for Database {
    /// PostgreSQL as it comes: 100 connections, 3 of them for superusers; no pooler; processors not modelled.
    fn default() -> Self {
        Self {
            kind: Kind::Postgres,
            max_connections: 100,
            reserved: 3,
            pooler: Pooler::None,
            pooler_connections: 10_000,
            pooler_size: None,
            cpus: None,
            cpu_share: 0.5,
        }
    }
}
