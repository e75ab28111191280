//! One open connection as the pool stores it, and the monitor that shows it while it is borrowed.

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::SqlStr;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::clock::FreezeAwareInstant;
use crate::db::connect::Connection;
use crate::db::session::PendingReply;

/// One open connection.
pub(super) struct Entry<T: Connection> {
    pub(super) connection: T,
    pub(super) monitor: Arc<Monitor>,
    /// When a borrower last gave it back after the server had answered.
    pub(super) last_used: FreezeAwareInstant,
    /// When the server last answered on it: used, pinged or opened.
    pub(super) last_validated: FreezeAwareInstant,
    /// How many connections of the pool had broken when this one was last validated.
    pub(super) incidents: u64,
    pub(super) opened: FreezeAwareInstant,
    /// How long it may live.
    pub(super) lifetime: Duration,
    /// The generation it was opened in.
    pub(super) generation: u64,
    /// Whether a ping was sent and not answered.
    pub(super) pinging: bool,
    /// Its place in the budget. Dropped last: permits count connections that the server still counts.
    pub(super) permit: OwnedSemaphorePermit,
}

/// The holder of a connection and the time of its last answer; shared with the reports on the pool.
#[derive(Debug)]
pub(in crate::db) struct Monitor {
    usage: Mutex<Usage>,
    pub(in crate::db) reply: Arc<PendingReply>,
}

#[derive(Debug)]
struct Usage {
    holder: Option<Holder>,
    /// When the server last answered, noted when the connection is given back.
    answered: Instant,
}

/// A borrower of a connection.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub(super) purpose: Purpose,
    pub(super) since: Instant,
    /// Whether the log has named it as one that may have leaked.
    pub(super) reported: bool,
}

/// What a connection was borrowed for.
#[derive(Clone, Debug)]
pub(in crate::db) enum Purpose {
    /// A line of the caller's code.
    Line(&'static Location<'static>),
    /// A statement that was run through the pool itself: sqlx does not pass on the caller's line.
    Statement(SqlStr),
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The most characters of a statement that are shown.
        const SHOWN: usize = 60;
        match self {
            Self::Line(location) => fmt::Display::fmt(location, f),
            Self::Statement(sql) => {
                // What stands in quotes may be a secret.
                let sql = sql.as_str().split(['\'', '"', '$']).next().unwrap_or_default();
                let words = sql.split_whitespace().collect::<Vec<_>>().join(" ");
                let shown: String = words.chars().take(SHOWN).collect();
                let rest = if shown.len() < words.len() { " …" } else { "" };
                write!(f, "statement \"{shown}{rest}\"")
            }
        }
    }
}

impl<T: Connection> Entry<T> {
    /// Notes that the server has just answered.
    pub(super) fn validated(&mut self, now: FreezeAwareInstant, incidents: u64) {
        self.last_validated = now;
        self.incidents = incidents;
    }
}

impl Monitor {
    pub(super) fn new(reply: Arc<PendingReply>) -> Self {
        let usage = Usage { holder: None, answered: Instant::now() };
        Self { usage: Mutex::new(usage), reply }
    }

    pub(super) fn lend(&self, purpose: Purpose, since: Instant) {
        self.lock().holder = Some(Holder { purpose, since, reported: false });
    }

    /// Takes the connection back from its holder. `answered`: when the server last answered, if it did.
    pub(super) fn give_back(&self, answered: Option<Instant>) -> Option<Holder> {
        let mut usage = self.lock();
        usage.answered = answered.unwrap_or(usage.answered);
        usage.holder.take()
    }

    /// When the server last answered on this connection, noted when it is given back.
    pub(super) fn answered(&self) -> Instant {
        self.lock().answered
    }

    /// Returns the holder, once, if it has held the connection for longer than this.
    pub(super) fn report(&self, after: Duration) -> Option<Holder> {
        let mut usage = self.lock();
        let holder = usage.holder.as_mut().filter(|holder| holder.since.elapsed() > after)?;
        (!std::mem::replace(&mut holder.reported, true)).then(|| holder.clone())
    }

    pub(super) fn holder(&self) -> Option<Holder> {
        self.lock().holder.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sqlx_core::sql_str::{AssertSqlSafe, SqlSafeStr};

    use super::*;

    #[test]
    fn a_statement_is_named_by_its_first_words_and_without_what_it_quotes() {
        let named = |sql: &str| Purpose::Statement(AssertSqlSafe(sql).into_sql_str()).to_string();
        assert_eq!(named("SELECT  1\n FROM t"), "statement \"SELECT 1 FROM t\"");
        let secret = named("ALTER ROLE app PASSWORD 'hunter2'");
        assert_eq!(secret, "statement \"ALTER ROLE app PASSWORD\"");
        assert!(!named("SELECT $$hunter2$$").contains("hunter2"));
        assert!(!named("SET PASSWORD = PASSWORD(\"hunter2\")").contains("hunter2"));
        assert!(named(&"SELECT a, ".repeat(20)).ends_with(" …\""));
    }
}
