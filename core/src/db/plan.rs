//! From the paradigm, the processors and the server's limits to sizes and timeouts, with the arithmetic.
//!
//! Long because the inputs, the arithmetic and the words that explain it are of no use apart.

use std::fmt;
use std::time::Duration;

use super::settings::{DatabaseSettings, Kind, Pooler};
use super::{Error, Limits};
use crate::{Host, Paradigm};

/// Connections left for people and their tools when everything else is in use: a shell, a dump, a migration.
const ADMIN: usize = 3;

/// The lifetime of a connection that nothing makes stale: of a file, or of a database in memory that ends with its
/// last connection. A hundred years.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The most connections that one process is planned: no server takes more, and each is memory set aside.
const MOST: usize = 100_000;

/// What a plan is made from. Everything is given: the same inputs give the same plan anywhere.
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
    /// Processes of this deployment; on a serverless host its reserved concurrency. `None`: not told.
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
    /// The size that was asked for.
    pub pool_size: Option<usize>,
    /// What stands between this process and the server.
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
                // A rolling deploy starts every new process before it stops the old one, at the worst.
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

/// How statements are prepared, which is what a pooler is most easily broken by.
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
    /// [`Error::Plan`] where it does not fit what the server takes: one sentence with the numbers and the
    /// ways out.
    pub fn new(inputs: &Inputs) -> Result<Self, Error> {
        // Numbers that mean nothing are read as the nearest that do.
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
        // Shorter than anyone waits: who waits learns why, and the next attempt meets a network that is back.
        let connect_timeout = inputs
            .connect_timeout
            .unwrap_or_else(|| Duration::from_secs(5).min(acquire_timeout.mul_f64(0.9)));
        explanation.push_str(&format!(
            "; a caller waits at most {} for one, an attempt to connect at most {}",
            Seconds(acquire_timeout),
            Seconds(connect_timeout)
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

    /// The same plan with what the settings say of times, on a server that ends connections which nobody has
    /// used for `forgotten`.
    pub(crate) fn with(mut self, settings: &DatabaseSettings, forgotten: Option<Duration>) -> Self {
        self.idle_timeout = settings.idle_timeout.unwrap_or(self.idle_timeout);
        self.max_lifetime = settings.max_lifetime.unwrap_or(self.max_lifetime);
        self.leak_threshold = settings.leak_threshold.unwrap_or(self.leak_threshold);
        if let Some(forgotten) = forgotten {
            // A quarter early: the server's clock began when its answer left.
            self.idle_timeout = self.idle_timeout.min(forgotten.mul_f64(0.75));
            self.keepalive_interval = self.keepalive_interval.map(|often| often.min(forgotten / 2));
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

    /// How long a caller waits for a connection. 2 seconds on a long-running host, where a queue that does
    /// not move is better refused; 29 seconds on a serverless one, where a burst opens connections one by one.
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

    /// How long a connection may take to prove that it is alive: 500 ms.
    #[must_use]
    pub fn ping_timeout(&self) -> Duration {
        self.ping_timeout
    }

    /// How long a proof of life counts, in the same epoch: 500 ms, as in HikariCP's `aliveBypassWindow`.
    #[must_use]
    pub fn validation_interval(&self) -> Duration {
        self.validation_interval
    }

    /// How long a connection beyond the warm ones may stay unused: 10 minutes, or `DATABASE_IDLE_TIMEOUT`; less
    /// where the server itself ends idle connections earlier.
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    /// How long a connection may live: 30 minutes, or `DATABASE_MAX_LIFETIME`; less up to a quarter, so that
    /// those which were opened together do not end together. On SQLite for ever.
    #[must_use]
    pub fn max_lifetime(&self) -> Duration {
        self.max_lifetime
    }

    /// How often an idle connection is used so that nothing on the way forgets it: 2 minutes on a
    /// long-running host, never on a serverless one.
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

fn sqlite(inputs: &Inputs) -> (usize, String) {
    let size = inputs.pool_size.unwrap_or(inputs.cpus + 1);
    (
        size,
        format!(
            "{size} connection{} to SQLite: one transaction writes at a time, readers by processors ({}), in WAL mode",
            plural(size),
            inputs.cpus
        ),
    )
}

/// The connections that a deployment may open together: the smallest of all limits that are known.
struct Budget {
    usable: usize,
    /// Where the number comes from.
    source: String,
}

impl Budget {
    fn nearest(inputs: &Inputs) -> Option<Self> {
        let account = match inputs.kind {
            Kind::Postgres | Kind::Sqlite => "the role's CONNECTION LIMIT",
            Kind::MySql => "the user's MAX_USER_CONNECTIONS",
        };
        let server = inputs.max_connections.map(|max| Self {
            usable: max.saturating_sub(inputs.reserved + ADMIN),
            source: format!(
                "{max} of the server − {} reserved − {ADMIN} for administration",
                inputs.reserved
            ),
        });
        // Administrators have roles of their own.
        let own = |limit: Option<usize>, what: &str| {
            limit.map(|most| Self { usable: most, source: format!("{most} of {what}") })
        };
        [
            server,
            own(inputs.account_limit, account),
            own(inputs.database_limit, "the database's CONNECTION LIMIT"),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|budget| budget.usable)
    }
}

fn long_running(inputs: &Inputs) -> Result<(usize, String), Error> {
    let wish = 2 * inputs.cpus + 1;
    let formula = format!("2 × {} processor{} + 1 = {wish}", inputs.cpus, plural(inputs.cpus));
    let Some(Budget { usable, source }) = Budget::nearest(inputs) else {
        let size = inputs.pool_size.unwrap_or(wish);
        let why = match inputs.pool_size {
            Some(_) => "as set".into(),
            None => formula,
        };
        return Ok((
            size,
            format!(
                "{size} connection{} per process: {why}; the server's limit is not known",
                plural(size)
            ),
        ));
    };
    let instances = inputs.instances.unwrap_or(1);
    // At most a few thousand connections divided by a factor of at least one: exact in f64, and never negative.
    let share = (usable as f64 / (instances as f64 * inputs.overlap)).floor() as usize;
    let arithmetic = format!(
        "({source}) / ({instances} instance{} × {} in a deploy) = {share}",
        plural(instances),
        inputs.overlap
    );
    let (share, arithmetic) = match inputs.taken {
        0 => (share, arithmetic),
        taken => {
            let left = share.saturating_sub(taken);
            let less =
                format!("{arithmetic}, less {taken} of this process's other databases = {left}");
            (left, less)
        }
    };
    match inputs.pool_size {
        Some(size) if size <= share => Ok((
            size,
            format!("{size} connection{} per process as set, within {arithmetic}", plural(size)),
        )),
        Some(size) => Err(Error::Plan(format!(
            "{size} connections per process were set, but only {share} fit: {arithmetic}; \
             set DATABASE_POOL_SIZE to {share} or less, or put a pooler in front of the server and set DATABASE_POOLER"
        ))),
        None if share == 0 => Err(Error::Plan(format!(
            "no connection is left for a process: {arithmetic}; \
             run fewer instances (APP_INSTANCES) or put a pooler in front of the server and set DATABASE_POOLER"
        ))),
        None => {
            let size = wish.min(share);
            Ok((
                size,
                format!(
                    "{size} connection{} per process: the smaller of {formula} and {arithmetic}",
                    plural(size)
                ),
            ))
        }
    }
}

fn serverless(inputs: &Inputs) -> Result<(usize, String), Error> {
    let size = inputs.pool_size.unwrap_or(inputs.concurrency);
    let per = format!("{size} connection{} per environment", plural(size));
    let Some(Budget { usable, source }) = Budget::nearest(inputs) else {
        return Ok((size, format!("{per}; the server's limit is not known")));
    };
    let budget = format!("{usable} ({source})");
    let (per, mine) = match inputs.taken {
        0 => (per, size),
        taken => {
            let all = size.saturating_add(taken);
            (format!("{per}, with {taken} of its other databases {all}"), all)
        }
    };
    if mine > usable {
        return Err(Error::Plan(format!(
            "{per} does not fit a budget of {budget}; set DATABASE_POOL_SIZE to {usable} or less, or put a pooler in front of the server and set DATABASE_POOLER"
        )));
    }
    let Some(instances) = inputs.instances else {
        return Ok((
            size,
            format!(
                "{per}, so that {} environments fit a budget of {budget}; set APP_INSTANCES to the function's reserved concurrency to have it checked",
                usable / mine
            ),
        ));
    };
    // As above: small positive numbers.
    let environments = (instances as f64 * inputs.overlap).ceil() as usize;
    let wanted = environments.saturating_mul(mine);
    if wanted > usable {
        return Err(Error::Plan(format!(
            "{environments} environments × {mine} connection{} = {wanted}, but the budget is {budget}; \
             set the function's reserved concurrency (APP_INSTANCES) to {} or put a pooler in front of the server and set DATABASE_POOLER",
            plural(mine),
            usable / mine,
        )));
    }
    Ok((
        size,
        format!(
            "{per}: {environments} environments × {mine} = {wanted} within a budget of {budget}"
        ),
    ))
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUTS: Inputs = Inputs {
        paradigm: Paradigm::LongRunning,
        kind: Kind::Postgres,
        cpus: 2,
        concurrency: 1,
        instances: None,
        overlap: 2.0,
        max_connections: Some(100),
        reserved: 3,
        account_limit: None,
        database_limit: None,
        taken: 0,
        pool_size: None,
        pooler: Pooler::None,
        acquire_timeout: None,
        connect_timeout: None,
    };

    #[track_caller]
    fn size(inputs: &Inputs) -> usize {
        Plan::new(inputs).expect("fits").size()
    }

    #[track_caller]
    fn refusal(inputs: &Inputs) -> String {
        Plan::new(inputs).expect_err("does not fit").to_string()
    }

    #[test]
    fn a_long_running_process_takes_the_smaller_of_formula_and_share() {
        assert_eq!(size(&INPUTS), 5);
        assert_eq!(size(&Inputs { cpus: 32, ..INPUTS }), 47);
        assert_eq!(size(&Inputs { instances: Some(47), ..INPUTS }), 1);
        assert_eq!(size(&Inputs { overlap: 1.25, instances: Some(30), ..INPUTS }), 2);
    }

    #[test]
    fn a_share_below_one_is_refused_with_the_numbers_and_two_ways_out() {
        assert_eq!(
            refusal(&Inputs { instances: Some(48), ..INPUTS }),
            "no connection is left for a process: (100 of the server − 3 reserved − 3 for administration) / \
             (48 instances × 2 in a deploy) = 0; run fewer instances (APP_INSTANCES) or put a pooler in front \
             of the server and set DATABASE_POOLER"
        );
    }

    #[test]
    fn a_size_that_was_set_is_honoured_and_checked() {
        assert_eq!(size(&Inputs { pool_size: Some(40), ..INPUTS }), 40);
        let text = refusal(&Inputs { pool_size: Some(48), ..INPUTS });
        assert!(text.starts_with("48 connections per process were set, but only 47 fit"), "{text}");
    }

    #[test]
    fn an_environment_holds_one_connection_and_the_function_is_checked() {
        let lambda = Inputs { paradigm: Paradigm::Serverless, overlap: 1.0, ..INPUTS };
        assert_eq!(size(&lambda), 1);
        assert_eq!(size(&Inputs { instances: Some(94), ..lambda }), 1);
        assert_eq!(size(&Inputs { concurrency: 8, ..lambda }), 8);
        assert_eq!(
            refusal(&Inputs { instances: Some(200), ..lambda }),
            "200 environments × 1 connection = 200, but the budget is 94 (100 of the server − 3 reserved − 3 for \
             administration); set the function's reserved concurrency (APP_INSTANCES) to 94 or put a pooler in \
             front of the server and set DATABASE_POOLER"
        );
    }

    #[test]
    fn the_nearest_limit_counts_and_is_named() {
        let role = Inputs { account_limit: Some(3), ..INPUTS };
        let plan = Plan::new(&role).expect("fits");
        assert_eq!(plan.size(), 1);
        assert!(plan.explain().contains("(3 of the role's CONNECTION LIMIT) / "), "{plan}");
        let database = Inputs { database_limit: Some(8), account_limit: Some(50), ..INPUTS };
        assert!(refusal(&Inputs { pool_size: Some(5), ..database }).contains("only 4 fit"));
        let user = Inputs { kind: Kind::MySql, max_connections: None, ..role };
        assert!(refusal(&Inputs { instances: Some(2), ..user }).contains("MAX_USER_CONNECTIONS"));
        let lambda = Inputs { paradigm: Paradigm::Serverless, overlap: 1.0, ..role };
        assert!(refusal(&Inputs { instances: Some(4), ..lambda }).contains("budget is 3 (3 of"));
        assert_eq!(size(&Inputs { account_limit: Some(1000), ..INPUTS }), size(&INPUTS));
    }

    #[test]
    fn databases_on_one_server_share_it_and_the_refusal_shows_the_sum() {
        let second = Inputs { cpus: 32, taken: 40, ..INPUTS };
        assert_eq!(size(&second), 7);
        assert_eq!(
            refusal(&Inputs { pool_size: Some(8), ..second }),
            "8 connections per process were set, but only 7 fit: (100 of the server − 3 reserved − 3 for \
             administration) / (1 instance × 2 in a deploy) = 47, less 40 of this process's other databases = 7; \
             set DATABASE_POOL_SIZE to 7 or less, or put a pooler in front of the server and set DATABASE_POOLER"
        );
        let lambda = Inputs {
            paradigm: Paradigm::Serverless,
            overlap: 1.0,
            taken: 1,
            instances: Some(50),
            ..INPUTS
        };
        assert!(
            refusal(&lambda)
                .starts_with("50 environments × 2 connections = 100, but the budget is 94")
        );
        assert_eq!(size(&Inputs { instances: Some(47), ..lambda }), 1);
    }

    #[test]
    fn no_input_is_too_large_or_too_small_for_the_arithmetic() {
        for number in [0, 1, usize::MAX] {
            for paradigm in [Paradigm::LongRunning, Paradigm::Serverless] {
                for overlap in [0.0, -1.0, f64::NAN, f64::INFINITY, 1.0] {
                    let edges = Inputs { paradigm, overlap, ..INPUTS };
                    for inputs in [
                        Inputs { cpus: number, ..edges },
                        Inputs { cpus: number, kind: Kind::Sqlite, ..edges },
                        Inputs { concurrency: number, ..edges },
                        Inputs { instances: Some(number), ..edges },
                        Inputs { max_connections: Some(number), ..edges },
                        Inputs { reserved: number, ..edges },
                        Inputs { account_limit: Some(number), ..edges },
                        Inputs { taken: number, ..edges },
                        Inputs { database_limit: Some(number), ..edges },
                        Inputs { pool_size: Some(number), ..edges },
                        Inputs { pool_size: Some(number), max_connections: None, ..edges },
                    ] {
                        if let Ok(plan) = Plan::new(&inputs) {
                            assert!((1..=MOST).contains(&plan.size()), "{inputs:?}: {plan}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn sqlite_has_no_server_to_share() {
        let plan = Plan::new(&Inputs { kind: Kind::Sqlite, max_connections: None, ..INPUTS })
            .expect("fits");
        assert_eq!(plan.size(), 3);
        assert_eq!(plan.keepalive_interval(), None);
        // A database in memory ends with its last connection.
        assert!(plan.max_lifetime() > Duration::from_secs(365 * 86_400));
    }

    #[test]
    fn no_deployment_ever_plans_more_than_the_server_takes() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100_000 {
            let serverless = random.bool();
            let inputs = Inputs {
                paradigm: if serverless { Paradigm::Serverless } else { Paradigm::LongRunning },
                kind: Kind::Postgres,
                cpus: random.usize(1..128),
                concurrency: random.usize(1..64),
                instances: Some(random.usize(1..2000)),
                overlap: 1.0 + random.f64() * 2.0,
                max_connections: Some(random.usize(0..5000)),
                reserved: random.usize(0..50),
                pool_size: random.bool().then(|| random.usize(1..200)),
                ..INPUTS
            };
            let (Ok(plan), Some(max), Some(instances)) =
                (Plan::new(&inputs), inputs.max_connections, inputs.instances)
            else {
                continue;
            };
            let processes = instances as f64 * inputs.overlap;
            let processes = if serverless { processes.ceil() } else { processes };
            let most = plan.size() as f64 * processes;
            assert!(plan.size() > 0);
            assert!(most <= (max - inputs.reserved) as f64, "{most} of {inputs:?}");
        }
    }
}
