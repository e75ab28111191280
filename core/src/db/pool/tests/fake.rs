//! A database server that exists in memory: it counts its connections, and a test sets how it behaves.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::db::connect::{Connect, ConnectFailure, Connection, Loan, Release, Taint};
use crate::db::driver::ConnectErrorKind;
use crate::db::session::PendingReply;
use crate::db::settings::DatabaseUrl;

#[derive(Clone, Default)]
pub(super) struct Server(Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    open: usize,
    most_open: usize,
    attempts: u32,
    at_once: u32,
    most_at_once: u32,
    pings: u32,
    /// Connections with a smaller number are silent.
    forgotten: u32,
    behaviour: Behaviour,
    pub(super) connect_takes: Duration,
    pub(super) release_takes: Duration,
    pub(super) ping_takes: Duration,
    pub(super) crowded: bool,
    /// Whether the connections to come lead to a server that takes no writes.
    pub(super) read_only: bool,
}

/// What the server does when a connection is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Behaviour {
    #[default]
    Serves,
    Fails(ConnectErrorKind),
    /// It never answers.
    Silent,
}

/// A failure to connect.
fn failure(kind: ConnectErrorKind) -> ConnectFailure {
    static URL: LazyLock<Arc<DatabaseUrl>> = LazyLock::new(|| {
        let url = DatabaseUrl::parse("DATABASE_URL".into(), "postgres://fake/test");
        Arc::new(url.expect("is right"))
    });
    ConnectFailure::new(kind, sqlx::Error::WorkerCrashed, &URL)
}

impl Server {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it has it")
    }

    pub(super) fn set(&self, behaviour: Behaviour) {
        self.lock().behaviour = behaviour;
    }

    /// From now on the open connections do not answer.
    pub(super) fn forget_all(&self) {
        let mut state = self.lock();
        state.forgotten = state.attempts;
    }

    pub(super) fn open(&self) -> usize {
        self.lock().open
    }

    pub(super) fn most_open(&self) -> usize {
        self.lock().most_open
    }

    pub(super) fn attempts(&self) -> u32 {
        self.lock().attempts
    }

    pub(super) fn most_attempts_at_once(&self) -> u32 {
        self.lock().most_at_once
    }

    pub(super) fn pings(&self) -> u32 {
        self.lock().pings
    }
}

/// A connection, counted by the server until it is dropped.
pub(super) struct FakeConnection {
    server: Server,
    id: u32,
    loan: Loan,
    taint: Option<Taint>,
    crowded: bool,
    read_only: bool,
    connect_time: Duration,
}

impl FakeConnection {
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Runs a statement with success.
    pub(super) fn work(&mut self) {
        self.loan.answered = true;
    }

    /// Has a write refused because the server takes none.
    pub(super) fn refuse_write(&mut self) {
        self.loan = Loan { answered: true, demoted: true };
    }

    pub(super) fn taint_with(&mut self, taint: Taint) {
        self.taint = Some(taint);
    }
}

impl Drop for FakeConnection {
    fn drop(&mut self) {
        self.server.lock().open -= 1;
    }
}

/// An attempt that is being made, counted until it is dropped.
struct Attempt<'s>(&'s Server);

impl<'s> Attempt<'s> {
    fn begin(server: &'s Server) -> (Self, u32) {
        let mut state = server.lock();
        state.attempts += 1;
        // In paused time a pool that never pauses would keep the clock from going on.
        assert!(state.attempts < 20_000, "attempts are made without a pause");
        state.at_once += 1;
        state.most_at_once = state.most_at_once.max(state.at_once);
        (Self(server), state.attempts)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.lock().at_once -= 1;
    }
}

impl Connect for Server {
    type Connection = FakeConnection;

    async fn connect(&self, until: Option<Instant>) -> Result<FakeConnection, ConnectFailure> {
        let (_attempt, id) = Attempt::begin(self);
        let (takes, behaviour) = {
            let state = self.lock();
            (state.connect_takes, state.behaviour)
        };
        let timeout = Duration::from_millis(1800);
        let last = until.unwrap_or(Instant::now() + timeout).min(Instant::now() + timeout);
        if behaviour == Behaviour::Silent || Instant::now() + takes > last {
            tokio::time::sleep_until(last).await;
            return Err(failure(ConnectErrorKind::Unreachable));
        }
        sleep(takes).await;
        let mut state = self.lock();
        if let Behaviour::Fails(kind) = state.behaviour {
            return Err(failure(kind));
        }
        state.open += 1;
        state.most_open = state.most_open.max(state.open);
        let (crowded, read_only) = (state.crowded, state.read_only);
        drop(state);
        Ok(FakeConnection {
            server: self.clone(),
            id,
            loan: Loan::default(),
            taint: None,
            crowded,
            read_only,
            connect_time: takes,
        })
    }

    fn release(&self, connection: FakeConnection) -> Release<FakeConnection> {
        let takes = self.lock().release_takes;
        // The server counts it until it has noticed.
        Release::Work(Box::pin(async move {
            sleep(takes).await;
            drop(connection);
            None
        }))
    }
}

impl Connection for FakeConnection {
    fn pending_reply(&self) -> Arc<PendingReply> {
        Arc::default()
    }

    fn connect_time(&self) -> Duration {
        self.connect_time
    }

    async fn ping(&mut self) -> bool {
        let (forgotten, takes) = {
            let mut state = self.server.lock();
            state.pings += 1;
            (self.id <= state.forgotten, state.ping_takes)
        };
        if forgotten {
            std::future::pending::<()>().await;
        }
        sleep(takes.max(Duration::from_millis(1))).await;
        true
    }

    fn taint(&self) -> Option<Taint> {
        self.taint
    }

    fn end_of_loan(&mut self) -> Loan {
        std::mem::take(&mut self.loan)
    }

    fn takes_writes(&self) -> bool {
        !self.server.lock().read_only
    }

    async fn takes_writes_now(&mut self) -> bool {
        !self.read_only
    }

    fn is_crowded(&self) -> bool {
        self.crowded
    }

    async fn goodbye(self) {
        sleep(Duration::from_millis(1)).await;
    }
}
