//! Statements without a reply: the server is asked whether it still runs them, or the query or its reply was lost.
//!
//! A network can drop a connection silently: a router restarts, a host dies and is replaced. A statement on it then
//! waits until its caller gives up, and a pool whose connections all wait serves no caller. Only the server can tell
//! this from a slow statement.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::conn::DbPool;
use super::connect::{Connect, Connection};
use super::driver::{BackendId, Driver, ServerIdentity};
use super::session::PendingReply;

/// How often the pending replies are listed: no I/O.
const PERIOD: Duration = Duration::from_secs(1);

/// How long a statement may be without a reply before the server is asked; twice as long after each answer that it is
/// at work.
const FIRST_CHECK: Duration = Duration::from_secs(2);

/// The longest time between two questions about one statement.
const LONGEST_EXTENSION: Duration = Duration::from_secs(60);

/// Watches over the statements of a pool until it is dropped or closed.
pub(super) fn watch<DB: Driver>(pool: &Arc<DbPool<DB>>) {
    let weak: Weak<DbPool<DB>> = Arc::downgrade(pool);
    pool.runtime().spawn(async move {
        let mut waiting = Vec::new();
        loop {
            tokio::time::sleep(PERIOD).await;
            let Some(pool) = weak.upgrade() else { return };
            if pool.is_closed() {
                return;
            }
            check(&pool, &mut waiting).await;
        }
    });
}

/// A statement without a reply.
struct PendingStatement {
    reply: Arc<PendingReply>,
    backend: BackendId,
    turn: u64,
    since: Instant,
    /// How long it may be without a reply before the server is asked.
    timeout: Duration,
}

impl PendingStatement {
    fn still_waits(&self) -> bool {
        self.reply.pending_turn() == Some(self.turn)
    }
}

async fn check<DB: Driver>(pool: &Arc<DbPool<DB>>, waiting: &mut Vec<PendingStatement>) {
    let now = Instant::now();
    let monitors = pool.monitors();
    waiting.retain(|statement| {
        statement.still_waits()
            && monitors.iter().any(|open| Arc::ptr_eq(&open.reply, &statement.reply))
    });
    for monitor in monitors {
        let reply = Arc::clone(&monitor.reply);
        let (Some(backend), Some(turn)) = (reply.backend, reply.pending_turn()) else { continue };
        if !waiting.iter().any(|statement| Arc::ptr_eq(&statement.reply, &reply)) {
            waiting.push(PendingStatement {
                reply,
                backend,
                turn,
                since: now,
                timeout: FIRST_CHECK,
            });
        }
    }
    let mut overdue: Vec<&mut PendingStatement> = waiting
        .iter_mut()
        .filter(|statement| now.duration_since(statement.since) >= statement.timeout)
        .collect();
    // A name may stand for several servers, each of which knows its own connections alone.
    while let Some(server) = overdue.first().map(|statement| statement.backend.server) {
        let (of_server, others) =
            overdue.into_iter().partition(|statement| statement.backend.server.is(server));
        let asked: Vec<&mut PendingStatement> = of_server;
        overdue = others;
        let ids: Vec<i64> = asked.iter().map(|statement| statement.backend.number).collect();
        // If the server cannot be asked, every statement counts as running.
        let at_work = at_work(pool, server, &ids).await.unwrap_or(ids);
        for statement in asked {
            statement.timeout = (statement.timeout * 2).min(statement.timeout + LONGEST_EXTENSION);
            if !at_work.contains(&statement.backend.number) && statement.still_waits() {
                statement.reply.declare_lost(statement.turn);
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
        let mut idle = pool.all_idle().into_iter();
        if let Some(guard) = idle.find(|guard| guard.leads_to(server)) {
            let until = Instant::now() + timeout;
            let (mut guard, _) = pool.usable(guard, Some(until)).await?;
            return guard.at_work(ids).await.ok();
        }
        let mut link = pool.connector().connect(None).await.ok()?;
        let mut at_work = None;
        if link.leads_to(server) {
            at_work = link.at_work(ids).await.ok();
        }
        link.goodbye().await;
        at_work
    };
    tokio::time::timeout(timeout, asked).await.ok().flatten()
}
