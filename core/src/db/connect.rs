//! Opening connections: patiently, one probe at a time while the server is away, never beyond the budget.
//!
//! Long because every way to open a connection shares one count of attempts and one outage.

mod fault;
mod outage;
mod patience;
mod site;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
use sqlx_core::sql_str::AssertSqlSafe;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::addresses::Addresses;
use super::clock::Moment;
use super::credentials::Credentials;
use super::driver::{Admission, Driver, Limits, Options, Refusal};
use super::error::Error;
use super::lock_wait::LockWait;
use super::plan::{Plan, Statements};
use super::pool::Pool;
use super::pooled::PoolerWarnings;
use super::session::Session;
use super::settings::{DatabaseUrl, Pooler};
use super::shelf::Place;
use super::slot::{Card, Lifetimes, Slot};
use crate::{ConfigError, Paradigm};
pub(super) use outage::Outage;
pub(super) use patience::Patience;
use patience::{LONGEST_PAUSE, LONGEST_WHILE_FULL, Pauses};
pub(super) use site::Site;

/// How long a server has at least to end a connection that was closed, once it has noticed: at once where it does
/// nothing on it. With four processes waiting for each processor, 5 ms were too few in three storms of six, 25 ms
/// in none (November 2026). A slower server shows it: to end takes it less than to begin, so it has as long as the
/// last connection took to open.
const ENDS_WITHIN: Duration = Duration::from_millis(25);

/// And at most: an opening that took longer waited for something else.
const ENDS_WITHIN_AT_MOST: Duration = Duration::from_millis(500);

/// Opens the connections of one pool.
pub(super) struct Connector<DB: Driver> {
    options: Options<DB>,
    credentials: Credentials,
    pooler: Pooler,
    warnings: Option<Arc<PoolerWarnings>>,
    site: Arc<Site>,
    addresses: Addresses,
    /// The runtime that drives every connection: the one that lives as long as the process. A connection
    /// opened on a worker's own runtime would end with the worker, and wait whenever it is busy.
    home: Handle,
    connecting: AtomicUsize,
    outage: Mutex<Option<Outage>>,
    limits: OnceLock<Limits>,
    lifetimes: Lifetimes,
    /// How long the last connection took to open, in microseconds.
    took: AtomicU64,
}

impl<DB: Driver> Connector<DB> {
    pub(super) fn new(options: Options<DB>, credentials: Credentials, site: Site) -> Self {
        Self {
            options,
            credentials,
            pooler: site.pooler,
            warnings: matches!(site.pooler, Pooler::PgBouncer | Pooler::PgBouncerPrepared)
                .then(Arc::default),
            site: Arc::new(site),
            addresses: Addresses::default(),
            home: Handle::current(),
            connecting: AtomicUsize::new(0),
            outage: Mutex::default(),
            limits: OnceLock::new(),
            lifetimes: Lifetimes::default(),
            took: AtomicU64::new(0),
        }
    }

    /// Takes the password of a URL that was read again, for the connections to come.
    pub(super) fn renew(&self, url: &DatabaseUrl) -> Result<(), ConfigError> {
        if url.place() != self.site.place {
            return Err(url.wrong("names another database, which takes a restart"));
        }
        self.credentials.renew(url);
        Ok(())
    }

    /// Opens a connection in the caller's own time, trying again until patience ends.
    pub(super) async fn first(
        &self,
        plan: &Plan,
        patience: Patience,
    ) -> Result<Opened<DB>, Outage> {
        let patience = patience.within_deadline();
        let mut pauses = Pauses::default();
        let mut before = None;
        loop {
            let until = patience.after(before.as_ref());
            let outage = match self.attempt(plan, Some(until)).await {
                Ok(opened) => return Ok(opened),
                // An attempt that had no time left says less than the one before it.
                Err(outage) if Instant::now() >= until => return Err(before.unwrap_or(outage)),
                Err(outage) => outage,
            };
            let until = patience.after(Some(&outage));
            let left = until.saturating_duration_since(Instant::now());
            let pause = match outage.refusal {
                Refusal::Full => pauses.next(LONGEST_WHILE_FULL.min(left / 8)),
                _ => pauses.next(LONGEST_PAUSE),
            };
            if outage.is_final() || Instant::now() + pause >= until {
                return Err(outage);
            }
            // Whoever waits for a start is told why; on a serverless host the request's own error tells.
            if before.is_none() && plan.keepalive().is_some() && outage.refusal != Refusal::Full {
                tracing::warn!("connecting to the database fails, and is tried again: {outage}");
            }
            before = Some(outage);
            tokio::time::sleep(pause).await;
        }
    }

    /// [`first`](Self::first), as a slot of the pool.
    pub(super) async fn open_with_patience(
        &self,
        pool: &Pool<DB>,
        permit: OwnedSemaphorePermit,
        until: Instant,
    ) -> Result<Box<Slot<DB>>, Outage> {
        let opened = self.first(&pool.plan, Patience::until(until)).await?;
        Ok(self.slot(pool, opened, permit, Place::default()))
    }

    /// Whether a further connection should be opened for those who wait, in which case it counts as begun:
    /// never more than are waited for, and only one while the server is away.
    pub(super) fn may_start(&self, waiting: usize) -> bool {
        let most = if self.lock().is_some() { waiting.min(1) } else { waiting };
        self.connecting
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |begun| {
                (begun < most).then_some(begun + 1)
            })
            .is_ok()
    }

    /// Takes back a `true` from [`may_start`](Self::may_start) that came to nothing.
    pub(super) fn did_not_start(&self) {
        self.connecting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Opens a connection for whoever waits, after a `true` from [`may_start`](Self::may_start). While the
    /// server is away the task stays as the one probe that notices its return.
    pub(super) fn start(&self, pool: &Arc<Pool<DB>>, permit: OwnedSemaphorePermit) {
        let begun = Begun { pool: Arc::downgrade(pool), place: pool.place(), permit: Some(permit) };
        let runtime = pool.runtime(&begun.place).clone();
        runtime.spawn(async move {
            let mut begun = begun;
            let mut pauses = Pauses::default();
            loop {
                let Some(pool) = begun.pool.upgrade() else { return };
                let connector = &pool.connector;
                match connector.attempt(&pool.plan, None).await {
                    Ok(opened) => {
                        *connector.lock() = None;
                        connector.connecting.fetch_sub(1, Ordering::SeqCst);
                        // Taken on every way out of the loop, and only there.
                        let permit = begun.permit.take().expect("the permit is taken once");
                        let place = std::mem::take(&mut begun.place);
                        pool.add(connector.slot(&pool, opened, permit, place));
                        return pool.connect_for_waiting();
                    }
                    Err(outage) => {
                        connector.note(outage);
                        if connector.hopeless().is_some() {
                            pool.call_waiters();
                        }
                        let others = connector.connecting.load(Ordering::Acquire) > 1;
                        if others || pool.is_closed() {
                            connector.did_not_start();
                            drop(begun.permit.take());
                            return pool.connect_for_waiting();
                        }
                    }
                }
                drop(pool);
                tokio::time::sleep(pauses.next(LONGEST_PAUSE)).await;
            }
        });
    }

    /// Closes a connection, has the server end what it still does for it, and gives its place in the budget
    /// back once the server has noticed: until then it counts it too.
    pub(super) fn part(&self, pool: &Arc<Pool<DB>>, slot: Slot<DB>) {
        let Slot { session, outlived, card, _permit: permit, .. } = slot;
        let (busy, lost) = (session.condition.is_busy(), session.condition.is_lost());
        if let Some(interrupt) = &card.interrupt {
            // Its thread is what counts: the place is free once that has ended.
            interrupt.stop();
            let pool = Arc::clone(pool);
            self.home.spawn(async move {
                let _ = sqlx::Connection::close(session.connection).await;
                drop(permit);
                pool.connect_for_waiting();
            });
            return;
        }
        drop(session);
        if lost || pool.is_closed() || DB::NOTICES.is_zero() {
            return;
        }
        let pool = Arc::clone(pool);
        match card.id.filter(|_| outlived).and_then(DB::cancel) {
            Some(statement) if busy => {
                self.home.spawn(async move {
                    let connector = &pool.connector;
                    // Half of the time, so that those who wait for this place have the other half.
                    let until = Instant::now() + pool.plan.connect() / 2;
                    let Ok(mut opened) = connector.attempt(&pool.plan, Some(until)).await else {
                        drop(permit);
                        return pool.connect_for_waiting();
                    };
                    // The number in the statement is ours. That the work has ended by itself is no news.
                    let statement = AssertSqlSafe(statement);
                    let _ = DB::fetch_optional(&mut opened.connection, statement).await;
                    pool.add(connector.slot(&pool, opened, permit, Place::default()));
                });
            }
            // Nothing may be under way when a serverless host freezes us, and one connection is in nobody's way.
            _ if pool.paradigm == Paradigm::Serverless => {}
            _ => {
                let noticed = self.ends_within() + if busy { DB::NOTICES } else { Duration::ZERO };
                self.home.spawn(async move {
                    tokio::time::sleep(noticed).await;
                    drop(permit);
                    pool.connect_for_waiting();
                });
            }
        }
    }

    /// How long the server has to end a connection once it has noticed.
    fn ends_within(&self) -> Duration {
        let took = Duration::from_micros(self.took.load(Ordering::Relaxed));
        took.clamp(ENDS_WITHIN, ENDS_WITHIN_AT_MOST)
    }

    /// The error for a new caller where the server has been away for longer than anyone waits.
    pub(super) fn outage(&self, longer_than: Duration) -> Option<Error> {
        let outage = self.lock().clone()?;
        (outage.since.elapsed() > longer_than).then(|| outage.into_error())
    }

    /// The last failure to connect since the last success.
    pub(super) fn last_outage(&self) -> Option<Outage> {
        self.lock().clone()
    }

    /// Why waiting is hopeless, where it is: the server answers, and will not let us in.
    pub(super) fn hopeless(&self) -> Option<Outage> {
        self.last_outage().filter(Outage::is_final)
    }

    pub(super) fn pooler(&self) -> Pooler {
        self.pooler
    }

    pub(super) fn place(&self) -> &str {
        &self.site.place
    }

    pub(super) fn home(&self) -> &Handle {
        &self.home
    }

    pub(super) fn slot(
        &self,
        pool: &Pool<DB>,
        opened: Opened<DB>,
        permit: OwnedSemaphorePermit,
        place: Place,
    ) -> Box<Slot<DB>> {
        let Opened { connection, admission, took } = opened;
        let card = Card::new(admission.id, admission.interrupt.clone());
        pool.counts.created(took);
        let now = Moment::now(&pool.epoch);
        let unnamed = pool.plan.statements() == Statements::UnnamedInTransaction;
        let lifetime = self.lifetimes.next(pool.plan.lifetime());
        let mut session =
            Session::new(connection, unnamed, card.pulse.clone(), Arc::clone(&pool.schemas));
        let turns = pool.writer.as_ref();
        session.pooled = self.warnings.clone();
        session.lock = turns.map(|turns| LockWait::new(turns, pool.plan.acquire()));
        // Boxed once: a connection is handed on many times.
        Box::new(Slot {
            session,
            proof: now,
            alarm: pool.alarm(),
            kept: now,
            born: now,
            lifetime,
            generation: pool.generation.load(Ordering::Acquire),
            outlived: admission.outlived,
            crowded: admission.is_crowded(),
            card,
            place,
            shelf: None,
            _permit: permit,
        })
    }

    /// One attempt, with its own timeout.
    pub(super) async fn attempt(
        &self,
        plan: &Plan,
        until: Option<Instant>,
    ) -> Result<Opened<DB>, Outage> {
        let patience = match until {
            Some(until) => until.saturating_duration_since(Instant::now()).min(plan.connect()),
            None => plan.connect(),
        };
        let begun = Instant::now();
        let attempt = async {
            let mut connection = self.connect().await?;
            let admission = DB::admit(&mut connection, self.pooler).await?;
            Ok::<_, sqlx::Error>((connection, admission))
        };
        match tokio::time::timeout(patience, attempt).await {
            Ok(Ok((connection, admission))) => {
                self.admitted(&admission)?;
                let took = begun.elapsed();
                let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                self.took.store(micros, Ordering::Relaxed);
                Ok(Opened { connection, admission, took })
            }
            Ok(Err(error)) => Err(Outage::of::<DB>(error, &self.site)),
            Err(_) => {
                self.addresses.was_silent();
                let text = format!("no answer within {} ms", patience.as_millis());
                let error = std::io::Error::new(std::io::ErrorKind::TimedOut, text);
                Err(Outage::new(Refusal::Unreachable, sqlx::Error::Io(error), &self.site))
            }
        }
    }

    /// Connects with the password of the moment; where it is refused and another is to be had, with that.
    async fn connect(&self) -> Result<DB::Connection, sqlx::Error> {
        let Some(password) = self.credentials.password(None).await? else {
            return open::<DB>(&self.addresses, &self.options).await;
        };
        let with = |password: &str| {
            let options = DB::with_password(&self.options, password);
            async move { open::<DB>(&self.addresses, &options).await }
        };
        let error = match with(password.expose()).await {
            Err(error) if DB::refusal(&error) == Refusal::Credentials => error,
            outcome => return outcome,
        };
        match self.credentials.password(Some(&password)).await? {
            Some(other) if other.expose() != password.expose() => with(other.expose()).await,
            _ => Err(error),
        }
    }

    fn admitted(&self, admission: &Admission) -> Result<(), Outage> {
        let &Admission { limits, .. } = admission;
        if let Some(limits) = limits {
            let known = self.limits.get_or_init(|| limits);
            if *known != limits {
                tracing::warn!(
                    planned = known.max_connections,
                    now = limits.max_connections,
                    "the server's max_connections has changed since this process planned with it"
                );
            }
        }
        Ok(())
    }

    pub(super) fn limits(&self) -> Option<Limits> {
        self.limits.get().copied()
    }

    fn note(&self, outage: Outage) {
        let mut current = self.lock();
        let since = match &*current {
            Some(earlier) => earlier.since,
            None => {
                tracing::warn!("connecting to the database fails: {outage}");
                outage.since
            }
        };
        *current = Some(outage.that_began(since));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One attempt: at the addresses that the host has, in the ways that the TLS mode has.
async fn open<DB: Driver>(
    addresses: &Addresses,
    options: &Options<DB>,
) -> Result<DB::Connection, sqlx::Error> {
    let Some(endpoint) = DB::endpoint(options) else { return open_at::<DB>(options.clone()).await };
    let connect = |address: Option<IpAddr>| {
        let there = address.map(|address| DB::with_host(options, &address.to_string()));
        open_at::<DB>(there.unwrap_or_else(|| options.clone()))
    };
    addresses.connect(endpoint, connect, |error| DB::refusal(error) == Refusal::Full).await
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

/// A connection that is being opened on some runtime, which may end before it is open.
struct Begun<DB: Driver> {
    pool: Weak<Pool<DB>>,
    place: Place,
    /// Taken when the attempt is over.
    permit: Option<OwnedSemaphorePermit>,
}

impl<DB: Driver> Drop for Begun<DB> {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        drop(permit);
        // The runtime of a worker is gone: somebody else opens one. That of the process ends with it.
        if let (Some(_), Some(pool)) = (self.place.worker, self.pool.upgrade()) {
            pool.connector.did_not_start();
            pool.connect_for_waiting();
        }
    }
}

/// A connection that has been opened and has nothing to do yet.
pub(super) struct Opened<DB: Driver> {
    pub(super) connection: DB::Connection,
    pub(super) admission: Admission,
    pub(super) took: Duration,
}
