//! The plan: sizes and timeouts from the paradigm, the processors and the server's limits, with the arithmetic.

mod inputs;
mod sizes;
#[cfg(test)]
pub(super) mod tests;

use std::fmt;
use std::time::Duration;

use super::Error;
use super::settings::{DatabaseSettings, Kind, Pooler};
use crate::Paradigm;
pub use inputs::Inputs;
use sizes::{ADMIN, MOST, long_running, serverless, sqlite};

/// The lifetime of a connection that nothing makes stale: of a file, or of a database in memory that ends with its
/// last connection. A hundred years.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// How one process holds its connections: sizes, timeouts, the use of prepared statements.
///
/// ```
/// use anyhost_core::Paradigm;
/// use anyhost_core::db::{Inputs, Kind, Plan, Pooler};
///
/// let three_replicas = Inputs {
///     paradigm: Paradigm::LongRunning,
///     kind: Kind::Postgres,
///     cpus: 8,
///     concurrency: 1,
///     instances: Some(3),
///     overlap: 2.0,
///     max_connections: Some(100),
///     reserved: 3,
///     account_limit: None,
///     database_limit: None,
///     taken: 0,
///     pool_size: None,
///     pooler: Pooler::None,
///     acquire_timeout: None,
///     connect_timeout: None,
/// };
/// let plan = Plan::new(&three_replicas)?;
/// assert_eq!(plan.size(), 15); // 94 connections for 3 × 2 processes, and 8 processors would use 17
/// println!("{plan}");
///
/// let too_many = Inputs { instances: Some(60), ..three_replicas };
/// assert!(Plan::new(&too_many).is_err());
/// # Ok::<(), anyhost_core::db::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    size: usize,
    warm: usize,
    acquire_timeout: Duration,
    connect_timeout: Duration,
    ping_timeout: Duration,
    validation_interval: Duration,
    idle_timeout: Duration,
    max_lifetime: Duration,
    keepalive_interval: Option<Duration>,
    leak_threshold: Duration,
    statements: Statements,
    explanation: String,
}

/// How statements are prepared, which must fit the pooler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Statements {
    /// Prepared once per connection and kept under a name.
    Named,
    /// Never named, and each inside a transaction, which holds the pooler to one server connection.
    UnnamedInTransaction,
}

impl Plan {
    /// The plan for these inputs.
    ///
    /// # Errors
    /// [`Error::Plan`] if it does not fit what the server takes: one sentence with the numbers and the
    /// ways out.
    pub fn new(inputs: &Inputs) -> Result<Self, Error> {
        // Numbers out of range are replaced by the nearest valid ones.
        let inputs = &Inputs {
            cpus: inputs.cpus.clamp(1, MOST / 4),
            concurrency: inputs.concurrency.clamp(1, MOST),
            instances: inputs.instances.map(|instances| instances.max(1)),
            overlap: if inputs.overlap >= 1.0 { inputs.overlap } else { 1.0 },
            reserved: inputs.reserved.min(usize::MAX - ADMIN),
            pool_size: inputs.pool_size.map(|size| size.clamp(1, MOST)),
            ..*inputs
        };
        let (size, mut explanation) = match (inputs.kind, inputs.paradigm) {
            (Kind::Sqlite, _) => sqlite(inputs),
            (_, Paradigm::LongRunning) => long_running(inputs)?,
            (_, Paradigm::Serverless) => serverless(inputs)?,
        };
        let (acquire, warm, keepalive) = match inputs.paradigm {
            Paradigm::LongRunning => (Duration::from_secs(2), 1, Some(Duration::from_secs(120))),
            Paradigm::Serverless => (Duration::from_secs(29), 0, None),
        };
        let statements = match inputs.pooler {
            Pooler::None | Pooler::PgBouncerPrepared | Pooler::RdsProxy => Statements::Named,
            Pooler::PgBouncer => Statements::UnnamedInTransaction,
        };
        let acquire_timeout = inputs.acquire_timeout.unwrap_or(acquire);
        // Shorter than a caller waits: the caller gets the reason, and a later attempt can meet a network that is
        // back.
        let connect_timeout = inputs
            .connect_timeout
            .unwrap_or_else(|| Duration::from_secs(5).min(acquire_timeout.mul_f64(0.9)));
        explanation.push_str(&format!(
            "; a caller waits at most {} s for one, an attempt to connect at most {} s",
            acquire_timeout.as_secs_f64(),
            connect_timeout.as_secs_f64()
        ));
        match inputs.pooler {
            Pooler::None => {}
            Pooler::PgBouncer => explanation
                .push_str("; through PgBouncer in transaction mode, so statements stay unnamed and run inside a transaction"),
            Pooler::PgBouncerPrepared => {
                explanation.push_str("; through PgBouncer, which keeps track of prepared statements");
            }
            Pooler::RdsProxy => explanation.push_str("; through RDS Proxy, without start-up options"),
        }
        Ok(Self {
            size,
            warm,
            acquire_timeout,
            connect_timeout,
            ping_timeout: Duration::from_millis(500),
            validation_interval: Duration::from_millis(500),
            idle_timeout: Duration::from_secs(600),
            max_lifetime: match inputs.kind {
                Kind::Postgres | Kind::MySql => Duration::from_secs(1800),
                Kind::Sqlite => FOREVER,
            },
            keepalive_interval: keepalive.filter(|_| inputs.kind != Kind::Sqlite),
            leak_threshold: Duration::from_secs(60),
            statements,
            explanation,
        })
    }

    /// The same plan with the times of the settings, on a server that ends connections that were idle for
    /// `server_idle_timeout`.
    pub(crate) fn with(
        mut self,
        settings: &DatabaseSettings,
        server_idle_timeout: Option<Duration>,
    ) -> Self {
        self.idle_timeout = settings.idle_timeout.unwrap_or(self.idle_timeout);
        self.max_lifetime = settings.max_lifetime.unwrap_or(self.max_lifetime);
        self.leak_threshold = settings.leak_threshold.unwrap_or(self.leak_threshold);
        if let Some(server_idle_timeout) = server_idle_timeout {
            // A quarter earlier: the server has counted since it sent its last answer.
            self.idle_timeout = self.idle_timeout.min(server_idle_timeout.mul_f64(0.75));
            self.keepalive_interval =
                self.keepalive_interval.map(|often| often.min(server_idle_timeout / 2));
        }
        self
    }

    /// The most connections this process opens.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The connections that are open before the process is ready.
    #[must_use]
    pub fn warm(&self) -> usize {
        self.warm
    }

    /// How long a caller waits for a connection. 2 seconds on a long-running host, so that callers are refused early
    /// if the queue does not move; 29 seconds on a serverless one, because a burst opens connections one by one.
    #[must_use]
    pub fn acquire_timeout(&self) -> Duration {
        self.acquire_timeout
    }

    /// How long one attempt to connect may take: 5 seconds, and no more than nine tenths of what a caller
    /// waits.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The timeout of a ping: 500 ms.
    #[must_use]
    pub fn ping_timeout(&self) -> Duration {
        self.ping_timeout
    }

    /// How long a validated connection needs no ping, in the same epoch: 500 ms, as in HikariCP's `aliveBypassWindow`.
    #[must_use]
    pub fn validation_interval(&self) -> Duration {
        self.validation_interval
    }

    /// How long a connection beyond the warm ones may stay unused: 10 minutes, or `DATABASE_IDLE_TIMEOUT`; less
    /// if the server itself ends idle connections earlier.
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    /// How long a connection may live: 30 minutes, or `DATABASE_MAX_LIFETIME`; less up to a quarter, so that
    /// connections which were opened together do not end together. On SQLite for ever.
    #[must_use]
    pub fn max_lifetime(&self) -> Duration {
        self.max_lifetime
    }

    /// How often an idle connection is used so that no firewall on the way drops it: 2 minutes on a long-running
    /// host, never on a serverless one.
    #[must_use]
    pub fn keepalive_interval(&self) -> Option<Duration> {
        self.keepalive_interval
    }

    /// How long a connection may be held before the place that holds it is named in the log: 60 seconds, or
    /// `DATABASE_LEAK_THRESHOLD`.
    #[must_use]
    pub fn leak_threshold(&self) -> Duration {
        self.leak_threshold
    }

    /// How statements are prepared.
    #[must_use]
    pub fn statements(&self) -> Statements {
        self.statements
    }

    /// The arithmetic in one sentence.
    #[must_use]
    pub fn explain(&self) -> &str {
        &self.explanation
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explanation)
    }
}
