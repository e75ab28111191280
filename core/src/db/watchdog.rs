//! Statements that get no answer: whether the server is still at work on them, or what was said has been lost on
//! the way.
//!
//! A network can forget a connection without a word: a router that restarts, a host that dies and is replaced. What
//! waits on it then waits for as long as its caller does, and a pool whose connections all do serves nobody. Only
//! the server can tell it from a statement that takes long, so it is asked.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::connect::{Connect, Connection, Connector, Pending};
use super::driver::{BackendId, Driver, ServerIdentity};
use super::handle::DbPool;
use super::pool::PooledConnection;
use super::session::PendingReply;

/// How often it is looked who waits for an answer: no I/O.
const LOOK: Duration = Duration::from_secs(1);

/// How long a statement may be without an answer before the server is asked; each time that it is at work, twice as
/// long.
const SILENT: Duration = Duration::from_secs(2);

/// The longest time between two questions about one statement.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// Watches over the statements of a pool until it is dropped or closed.
pub(super) fn watch<DB: Driver>(pool: &Arc<DbPool<DB>>) {
    let weak: Weak<DbPool<DB>> = Arc::downgrade(pool);
    pool.runtime().spawn(async move {
        let mut waiting = Vec::new();
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(pool) = weak.upgrade() else { return };
            if pool.is_closed() {
                return;
            }
            look(&pool, &mut waiting).await;
        }
    });
}

/// A statement without an answer.
struct Silent {
    reply: PendingReply,
    backend: BackendId,
    turn: u64,
    since: Instant,
    /// How long it is silent when it is asked after.
    patience: Duration,
}

impl Silent {
    fn still_waits(&self) -> bool {
        self.reply.waits() == Some(self.turn)
    }
}

async fn look<DB: Driver>(pool: &Arc<DbPool<DB>>, waiting: &mut Vec<Silent>) {
    let now = Instant::now();
    let monitors = pool.monitors();
    waiting.retain(|silent| {
        silent.still_waits() && monitors.iter().any(|open| open.connection.reply.is(&silent.reply))
    });
    for monitor in monitors {
        let Pending { backend, reply } = monitor.connection.clone();
        let (Some(backend), Some(turn)) = (backend, reply.waits()) else { continue };
        if !waiting.iter().any(|silent| silent.reply.is(&reply)) {
            waiting.push(Silent { reply, backend, turn, since: now, patience: SILENT });
        }
    }
    let mut silent: Vec<&mut Silent> = waiting
        .iter_mut()
        .filter(|silent| now.duration_since(silent.since) >= silent.patience)
        .collect();
    // A name may stand for several servers, each of which knows its own connections alone.
    while let Some(server) = silent.first().map(|silent| silent.backend.server) {
        let (of_server, others) =
            silent.into_iter().partition(|silent| silent.backend.server.is(server));
        let asked: Vec<&mut Silent> = of_server;
        silent = others;
        let ids: Vec<i64> = asked.iter().map(|silent| silent.backend.number).collect();
        // If the server cannot be asked nothing is known, and everything may be at work.
        let at_work = at_work(pool, server, &ids).await.unwrap_or(ids);
        for silent in asked {
            silent.patience = (silent.patience * 2).min(silent.patience + LONGEST_SILENCE);
            if !at_work.contains(&silent.backend.number) && silent.still_waits() {
                silent.reply.lose(silent.turn);
            }
        }
    }
}

/// For which of these connections this server is at work, by its ids; `None` if it cannot be asked.
///
/// Asked on an idle connection to that server; if there is none, on one of those that the plan leaves for
/// administration, as a migration is.
async fn at_work<DB: Driver>(
    pool: &Arc<DbPool<DB>>,
    server: ServerIdentity,
    ids: &[i64],
) -> Option<Vec<i64>> {
    let timeout = pool.plan().connect_timeout();
    let asked = async {
        if let Some(guard) = idle_on(pool, server) {
            let until = Instant::now() + timeout;
            let (mut guard, _) = pool.usable(guard, Some(until)).await?;
            return guard.session.at_work(ids).await.ok();
        }
        let mut link = pool.connector().connect(None).await.ok()?.connection;
        let mut at_work = None;
        if link.leads_to(server) {
            at_work = link.session.at_work(ids).await.ok();
        }
        link.goodbye().await;
        at_work
    };
    tokio::time::timeout(timeout, asked).await.ok().flatten()
}

/// An idle connection to this server.
fn idle_on<DB: Driver>(
    pool: &Arc<DbPool<DB>>,
    server: ServerIdentity,
) -> Option<PooledConnection<Connector<DB>>> {
    // The others go back by being dropped.
    let mut others = Vec::new();
    while let Some(guard) = pool.try_idle() {
        if guard.leads_to(server) {
            return Some(guard);
        }
        others.push(guard);
    }
    None
}
