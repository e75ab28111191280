//! The inputs of a plan.

use std::time::Duration;

use crate::db::Limits;
use crate::db::settings::{DatabaseSettings, Kind, Pooler};
use crate::{Host, Paradigm};

/// The inputs of a plan. The plan depends on nothing else: the same inputs give the same plan on every machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inputs {
    /// How the host runs processes.
    pub paradigm: Paradigm,
    /// The kind of database.
    pub kind: Kind,
    /// Processors of one process, in whole numbers of at least one.
    pub cpus: usize,
    /// Requests that a serverless host gives one process at once.
    pub concurrency: usize,
    /// Processes of this deployment; on a serverless host its reserved concurrency. `None`: not known.
    pub instances: Option<usize>,
    /// How many times as many processes there are while old and new ones overlap in a deploy.
    pub overlap: f64,
    /// The most connections the server takes; `None`: not known yet.
    pub max_connections: Option<usize>,
    /// Connections of the server that are not ours to use.
    pub reserved: usize,
    /// The most connections of the role or user that processes connect as; `None`: no limit of its own.
    pub account_limit: Option<usize>,
    /// The most connections of the database; `None`: no limit of its own.
    pub database_limit: Option<usize>,
    /// Connections that this process has given to other databases on the same server already.
    pub taken: usize,
    /// The size that was set.
    pub pool_size: Option<usize>,
    /// The pooler between this process and the server.
    pub pooler: Pooler,
    /// How long a caller waits for a connection; `None`: the paradigm's default.
    pub acquire_timeout: Option<Duration>,
    /// How long one attempt to connect may take; `None`: 5 seconds, or nine tenths of what a caller waits.
    pub connect_timeout: Option<Duration>,
}

impl Inputs {
    pub(crate) fn gather(
        host: &Host,
        settings: &DatabaseSettings,
        limits: Option<Limits>,
        taken: usize,
    ) -> Self {
        Self {
            paradigm: host.paradigm(),
            kind: settings.url.kind,
            cpus: host.resources().whole_cpus(),
            concurrency: host.concurrency(),
            instances: settings.instances,
            overlap: match (settings.overlap, host.paradigm()) {
                (Some(overlap), _) => overlap.0,
                // At worst a rolling deploy starts every new process before it stops an old one.
                (None, Paradigm::LongRunning) => 2.0,
                // Concurrency is limited per function, whatever its version.
                (None, Paradigm::Serverless) => 1.0,
            },
            max_connections: settings
                .max_connections
                .or(limits.map(|limits| limits.max_connections)),
            reserved: settings.reserved.or(limits.map(|limits| limits.reserved)).unwrap_or(0),
            account_limit: limits.and_then(|limits| limits.account),
            database_limit: limits.and_then(|limits| limits.database),
            taken,
            pool_size: settings.pool_size,
            pooler: settings.pooler,
            acquire_timeout: settings.acquire_timeout,
            connect_timeout: settings.connect_timeout,
        }
    }
}
