//! Statements that a transaction pooler does not bear: what they change stays on a server's connection that other
//! clients get next.

use std::sync::atomic::{AtomicBool, Ordering};

/// A kind of statement that leaves something behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leak {
    Setting,
    Lock,
    Table,
    Listener,
    Prepared,
}

impl Leak {
    const COUNT: usize = 5;

    /// What it is, and what to do instead.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Setting => (
                "a setting of the session",
                "use SET LOCAL or set_config(…, true) in a transaction, or ALTER ROLE … SET on the server",
            ),
            Self::Lock => {
                ("an advisory lock of the session", "use pg_advisory_xact_lock in a transaction")
            }
            Self::Table => (
                "a temporary table",
                "add ON COMMIT DROP and use it in the transaction that makes it",
            ),
            Self::Listener => (
                "LISTEN",
                "nothing is heard through a pooler: listen on a connection to DIRECT_DATABASE_URL",
            ),
            Self::Prepared => {
                ("PREPARE or a cursor WITH HOLD", "use them on a connection to DIRECT_DATABASE_URL")
            }
        }
    }
}

/// What has been said of the statements of one pool behind a transaction pooler.
#[derive(Debug, Default)]
pub(super) struct PoolerWarnings([AtomicBool; Leak::COUNT]);

impl PoolerWarnings {
    /// Warns of a statement that is about to be sent, once for each kind of statement.
    pub(super) fn look_at(&self, text: &str) {
        let Self(told) = self;
        if let Some(leak) = leak(text)
            && !told[leak as usize].swap(true, Ordering::Relaxed)
        {
            let (what, instead) = leak.words();
            tracing::warn!(
                "{what} went through a transaction pooler (DATABASE_POOLER), and stays on a connection of the server \
                 that other clients get next; {instead}"
            );
        }
    }
}

fn leak(text: &str) -> Option<Leak> {
    let text = text.to_ascii_uppercase();
    if calls_lock(&text) {
        return Some(Leak::Lock);
    }
    if text.split("SET_CONFIG").skip(1).any(|call| !is_local(call)) {
        return Some(Leak::Setting);
    }
    text.split(';').find_map(|statement| {
        let statement = without_comments(statement);
        let mut words = statement.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        let first = words.next()?;
        let second = words.find(|word| !word.is_empty()).unwrap_or_default();
        let says = |word: &str| statement.contains(word);
        match (first, second) {
            ("SET", "LOCAL" | "TRANSACTION" | "CONSTRAINTS") => None,
            ("SET", _) => Some(Leak::Setting),
            ("LISTEN", _) => Some(Leak::Listener),
            ("PREPARE", "TRANSACTION") => None,
            ("PREPARE", _) => Some(Leak::Prepared),
            ("DECLARE", _) if says("WITH HOLD") => Some(Leak::Prepared),
            ("CREATE", "TEMP" | "TEMPORARY") if !says("ON COMMIT DROP") => Some(Leak::Table),
            _ => None,
        }
    })
}

/// Whether a function is called that takes a lock of the session.
fn calls_lock(text: &str) -> bool {
    ["ADVISORY_LOCK(", "ADVISORY_LOCK_SHARED("].iter().any(|call| text.contains(call))
}

/// Whether what follows the name of `set_config` says that the setting ends with the transaction.
fn is_local(call: &str) -> bool {
    let arguments = call.split(')').next().unwrap_or_default();
    let last = arguments.rsplit(',').next().unwrap_or_default();
    last.contains("TRUE") || last.contains("'T'")
}

/// A statement from its first word on.
fn without_comments(statement: &str) -> &str {
    let mut rest = statement.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map(|(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, after)| after)
        } else {
            return rest;
        };
        rest = after.unwrap_or_default().trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_on_the_servers_connection_is_known() {
        for (text, expected) in [
            ("SET search_path = tenant", Some(Leak::Setting)),
            ("BEGIN; SET statement_timeout = 5; COMMIT", Some(Leak::Setting)),
            ("/* a tool */ set time zone 'UTC'", Some(Leak::Setting)),
            ("SELECT set_config('app.tenant', $1, false)", Some(Leak::Setting)),
            ("SELECT pg_advisory_lock(1)", Some(Leak::Lock)),
            ("select pg_try_advisory_lock_shared(1)", Some(Leak::Lock)),
            ("CREATE TEMP TABLE t (a int)", Some(Leak::Table)),
            ("CREATE TEMPORARY TABLE t AS SELECT 1", Some(Leak::Table)),
            ("LISTEN news", Some(Leak::Listener)),
            ("PREPARE p AS SELECT 1", Some(Leak::Prepared)),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", Some(Leak::Prepared)),
            ("SET LOCAL search_path = tenant", None),
            ("SET TRANSACTION READ ONLY", None),
            ("SET CONSTRAINTS ALL DEFERRED", None),
            ("SELECT set_config('app.tenant', $1, true)", None),
            ("SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock(2)", None),
            ("CREATE TEMP TABLE t (a int) ON COMMIT DROP", None),
            ("PREPARE TRANSACTION 'a'", None),
            ("UPDATE t SET a = 1", None),
            ("SELECT 'LISTEN'", None),
            ("", None),
        ] {
            assert_eq!(leak(text), expected, "{text}");
        }
    }
}
