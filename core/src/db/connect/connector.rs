//! Opens connections with sqlx: with the password of the moment, at the addresses of the host, one attempt at a
//! time or until a deadline.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx_core::sql_str::AssertSqlSafe;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::addresses::Addresses;
use super::retry::{Backoff, LONGEST_PAUSE, LONGEST_WHILE_FULL, RetryDeadline};
use super::{Connect, ConnectFailure, Failure, Link, Opened, Release, Site};
use crate::ConfigError;
use crate::db::Error;
use crate::db::credentials::Credentials;
use crate::db::driver::{Admission, Driver, Limits, Options, Refusal, ServerIdentity};
use crate::db::lock_wait::LockWait;
use crate::db::plan::Statements;
use crate::db::pooled::PoolerWarnings;
use crate::db::session::Session;
use crate::db::settings::{DatabaseUrl, Kind, Pooler};

/// How long a server has at least to end a connection that was closed, once it has noticed: at once if it does
/// nothing on it. With four processes waiting for each processor, 5 ms were too few in three storms of six, 25 ms
/// in none (November 2026). A slower server shows it: to end takes it less than to begin, so it has as long as the
/// last connection took to open.
const ENDS_WITHIN: Duration = Duration::from_millis(25);

/// The upper bound: a connect slower than this measured queueing, not the server.
const ENDS_WITHIN_AT_MOST: Duration = Duration::from_millis(500);

/// How many connections are opened at most to reach a certain one of the servers that a name stands for.
const TRIES: usize = 4;

/// Opens the connections of one pool; a clone shares what it has learnt.
pub(in crate::db) struct Connector<DB: Driver>(Arc<Shared<DB>>);

struct Shared<DB: Driver> {
    options: Options<DB>,
    credentials: Credentials,
    site: Arc<Site>,
    /// What is said of statements that a pooler does not bear.
    warnings: Option<Arc<PoolerWarnings>>,
    /// The turn to write, if the database takes one writer at a time.
    turns: Option<Arc<Semaphore>>,
    timeouts: Timeouts,
    addresses: Addresses,
    limits: OnceLock<Limits>,
    /// How long the last connection took to open, in microseconds.
    took: AtomicU64,
    /// Counts changes of the schema that prepared statements were met by.
    schemas: Arc<AtomicU64>,
}

/// How connecting is bounded, and how statements run on what it gives.
#[derive(Clone, Copy, Debug)]
pub(in crate::db) struct Timeouts {
    /// Of one attempt.
    pub(in crate::db) connect: Duration,
    pub(in crate::db) statements: Statements,
    /// How long a statement waits for a database that is locked.
    pub(in crate::db) lock: Duration,
    /// Whether the first failure of several is logged while it is tried again: somebody waits for a start.
    pub(in crate::db) says_why: bool,
}

impl<DB: Driver> Clone for Connector<DB> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<DB: Driver> Connector<DB> {
    pub(in crate::db) fn new(
        options: Options<DB>,
        credentials: Credentials,
        site: Site,
        timeouts: Timeouts,
    ) -> Self {
        let pooled = matches!(site.pooler, Pooler::PgBouncer | Pooler::PgBouncerPrepared);
        Self(Arc::new(Shared {
            options,
            credentials,
            site: Arc::new(site),
            warnings: pooled.then(Arc::default),
            turns: (DB::KIND == Kind::Sqlite).then(|| Arc::new(Semaphore::new(1))),
            timeouts,
            addresses: Addresses::default(),
            limits: OnceLock::new(),
            took: AtomicU64::new(0),
            schemas: Arc::default(),
        }))
    }

    /// Takes the password of a URL that was read again, for the connections to come.
    /// With `check`, only says whether it could.
    pub(in crate::db) fn renew(&self, url: &DatabaseUrl, check: bool) -> Result<(), ConfigError> {
        if url.place() != self.0.site.place {
            return Err(url.wrong("names another database, which takes a restart"));
        }
        if !check {
            self.0.credentials.renew(url);
        }
        Ok(())
    }

    /// The connect options with the password of the moment.
    pub(in crate::db) async fn options_now(&self) -> Result<Options<DB>, Error> {
        let Shared { credentials, options, .. } = &*self.0;
        let password = credentials.password(None).await;
        let password =
            password.map_err(|error| ConnectFailure::of::<DB>(error, &self.0.site).into_error())?;
        Ok(match password {
            Some(password) => DB::with_password(options, password.expose()),
            None => options.clone(),
        })
    }

    pub(in crate::db) fn pooler(&self) -> Pooler {
        self.0.site.pooler
    }

    pub(in crate::db) fn site(&self) -> &Arc<Site> {
        &self.0.site
    }

    /// The turn to write, if the database takes one writer at a time.
    pub(in crate::db) fn turns(&self) -> Option<&Arc<Semaphore>> {
        self.0.turns.as_ref()
    }

    /// What the server said of its limits, once a connection has been opened.
    pub(in crate::db) fn limits(&self) -> Option<Limits> {
        self.0.limits.get().copied()
    }

    /// Opens a connection in the caller's own time, trying again until the deadline.
    pub(in crate::db) async fn retry(
        &self,
        deadline: RetryDeadline,
    ) -> Result<Opened<Link<DB>>, ConnectFailure> {
        let deadline = deadline.within_request();
        let mut backoff = Backoff::default();
        let mut before = None;
        loop {
            let until = deadline.after(before.as_ref());
            let failure = match self.connect(Some(until)).await {
                Ok(opened) => return Ok(opened),
                // An attempt that had no time left says less than the one before it.
                Err(failure) if Instant::now() >= until => return Err(before.unwrap_or(failure)),
                Err(failure) => failure,
            };
            let until = deadline.after(Some(&failure));
            let left = until.saturating_duration_since(Instant::now());
            let pause = match failure.kind {
                Refusal::Full => backoff.next(LONGEST_WHILE_FULL.min(left / 8)),
                _ => backoff.next(LONGEST_PAUSE),
            };
            if failure.is_final() || Instant::now() + pause >= until {
                return Err(failure);
            }
            let says_why = self.0.timeouts.says_why && failure.kind != Refusal::Full;
            if before.is_none() && says_why {
                tracing::warn!("connecting to the database fails, and is tried again: {failure}");
            }
            before = Some(failure);
            tokio::time::sleep(pause).await;
        }
    }

    /// Opens a connection to this one of the servers that the name stands for, if it leads there within [`TRIES`];
    /// otherwise to another.
    async fn reach(&self, server: ServerIdentity, until: Instant) -> Option<Opened<Link<DB>>> {
        let mut tries = TRIES;
        loop {
            let opened = self.connect(Some(until)).await.ok()?;
            tries -= 1;
            if opened.connection.leads_to(server) || tries == 0 || Instant::now() >= until {
                return Some(opened);
            }
            super::Connection::goodbye(opened.connection).await;
            // The budget holds at every instant: the server counts it until it has noticed.
            tokio::time::sleep(self.ends_within()).await;
        }
    }

    /// How long the server has to end a connection once it has noticed.
    fn ends_within(&self) -> Duration {
        let took = Duration::from_micros(self.0.took.load(Ordering::Relaxed));
        took.clamp(ENDS_WITHIN, ENDS_WITHIN_AT_MOST)
    }

    /// Connects with the password of the moment; if that is refused and another is to be had, with that.
    async fn open(&self) -> Result<(DB::Connection, Admission), sqlx::Error> {
        let Shared { credentials, options, .. } = &*self.0;
        let Some(password) = credentials.password(None).await? else {
            return self.open_with(options).await;
        };
        let with = |password: &str| {
            let options = DB::with_password(options, password);
            async move { self.open_with(&options).await }
        };
        let error = match with(password.expose()).await {
            Err(error) if DB::refusal(&error) == Refusal::Credentials => error,
            outcome => return outcome,
        };
        match credentials.password(Some(&password)).await? {
            Some(other) if other.expose() != password.expose() => with(other.expose()).await,
            _ => Err(error),
        }
    }

    /// Connects at the addresses that the host has, in the ways that the TLS mode has.
    async fn open_with(
        &self,
        options: &Options<DB>,
    ) -> Result<(DB::Connection, Admission), sqlx::Error> {
        let admitted = async |options: Options<DB>| {
            let mut connection = open_at::<DB>(options).await?;
            let admission = DB::admit(&mut connection, self.0.site.pooler).await?;
            Ok((connection, admission))
        };
        let Some(endpoint) = DB::endpoint(options) else { return admitted(options.clone()).await };
        let connect = |address: Option<IpAddr>| {
            let there = address.map(|address| DB::with_host(options, &address.to_string()));
            admitted(there.unwrap_or_else(|| options.clone()))
        };
        let full = |error: &sqlx::Error| DB::refusal(error) == Refusal::Full;
        let writes = |(_, admission): &(DB::Connection, Admission)| !admission.read_only;
        self.0.addresses.connect(endpoint, connect, full, writes).await
    }

    /// Takes note of what a new connection learnt.
    fn admit(&self, server: &Admission) {
        if let Some(limits) = server.limits {
            let known = self.0.limits.get_or_init(|| limits);
            if known.max_connections != limits.max_connections {
                tracing::warn!(
                    planned = known.max_connections,
                    now = limits.max_connections,
                    "the server's max_connections has changed since this process planned with it"
                );
            }
        }
    }
}

impl<DB: Driver> Connect for Connector<DB> {
    type Connection = Link<DB>;
    type Failure = ConnectFailure;

    async fn connect(&self, until: Option<Instant>) -> Result<Opened<Link<DB>>, ConnectFailure> {
        let Shared { timeouts, addresses, took: last_took, .. } = &*self.0;
        let begun = Instant::now();
        let timeout = match until {
            Some(until) => until.saturating_duration_since(begun).min(timeouts.connect),
            None => timeouts.connect,
        };
        match tokio::time::timeout(timeout, self.open()).await {
            Ok(Ok((connection, server))) => {
                self.admit(&server);
                let took = begun.elapsed();
                let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                last_took.store(micros, Ordering::Relaxed);
                let unnamed = timeouts.statements == Statements::UnnamedInTransaction;
                let mut session = Session::new(connection, unnamed, Arc::clone(&self.0.schemas));
                session.pooled = self.0.warnings.clone();
                session.lock =
                    self.0.turns.as_ref().map(|turns| LockWait::new(turns, timeouts.lock));
                Ok(Opened { connection: Link { session, server }, took })
            }
            Ok(Err(error)) => Err(ConnectFailure::of::<DB>(error, &self.0.site)),
            Err(_) => {
                addresses.was_silent();
                let text = format!("no answer within {} ms", timeout.as_millis());
                let error = std::io::Error::new(std::io::ErrorKind::TimedOut, text);
                Err(ConnectFailure::unreachable(error, &self.0.site))
            }
        }
    }

    async fn connect_until(&self, until: Instant) -> Result<Opened<Link<DB>>, ConnectFailure> {
        self.retry(RetryDeadline::at(until)).await
    }

    fn release(&self, link: Link<DB>) -> Release<Link<DB>> {
        let Link { session, server } = link;
        let busy = session.condition.is_busy();
        if let Some(interrupt) = server.interrupt {
            // Its thread is what counts: the place is free once that has ended.
            interrupt.stop();
            return Release::Work(Box::pin(async move {
                let _ = sqlx::Connection::close(session.connection).await;
                None
            }));
        }
        drop(session);
        if DB::NOTICES.is_zero() {
            return Release::Done;
        }
        let left_behind = server.backend.filter(|_| server.outlived && busy);
        match left_behind.and_then(|backend| Some((backend, DB::cancel(backend.number)?))) {
            Some((backend, statement)) => {
                let connector = self.clone();
                Release::Work(Box::pin(async move {
                    // Half of the time, so that those who wait for this place have the other half.
                    let until = Instant::now() + connector.0.timeouts.connect / 2;
                    let mut opened = connector.reach(backend.server, until).await?;
                    if opened.connection.leads_to(backend.server) {
                        // The number in the statement is ours. That the work has ended by itself is no news.
                        let statement = AssertSqlSafe(statement);
                        let connection = &mut opened.connection.session.connection;
                        let _ = DB::fetch_optional(connection, statement).await;
                    }
                    Some(opened)
                }))
            }
            None => {
                Release::After(self.ends_within() + if busy { DB::NOTICES } else { Duration::ZERO })
            }
        }
    }
}

impl<DB: Driver> Link<DB> {
    /// Whether it is known to lead to this server.
    pub(in crate::db) fn leads_to(&self, server: ServerIdentity) -> bool {
        self.server.backend.is_some_and(|backend| backend.server.is(server))
    }
}

async fn open_at<DB: Driver>(options: Options<DB>) -> Result<DB::Connection, sqlx::Error> {
    match options.connect().await {
        Err(error) => match DB::second_way(&options, &error) {
            Some(second) => second.connect().await,
            None => Err(error),
        },
        opened => opened,
    }
}
