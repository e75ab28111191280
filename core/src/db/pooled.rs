//! Warnings of statements that do not work through a transaction pooler: what they change stays on a connection of
//! the server that other clients get next.

use std::sync::atomic::{AtomicBool, Ordering};

use super::sql::Change;

/// The name of such a statement, and what to do instead; `None` for other changes.
fn advice(change: Change) -> Option<(&'static str, &'static str)> {
    Some(match change {
        Change::Set => (
            "SET",
            "use SET LOCAL or set_config(…, true) in a transaction, or ALTER ROLE … SET on the server",
        ),
        Change::Function => (
            "a function that changes the session",
            "use pg_advisory_xact_lock for a lock, set_config(…, true) for a setting, each in a transaction",
        ),
        Change::Temporary => {
            ("a temporary table", "add ON COMMIT DROP and use it in the transaction that makes it")
        }
        Change::Listen => (
            "LISTEN",
            "nothing is heard through a pooler: listen on a connection to DIRECT_DATABASE_URL",
        ),
        Change::Prepare => ("PREPARE", "use it on a connection to DIRECT_DATABASE_URL"),
        Change::Declare => ("a cursor WITH HOLD", "read it in the transaction that declares it"),
        _ => return None,
    })
}

/// The warnings that were logged for one pool behind a transaction pooler.
#[derive(Debug, Default)]
pub(super) struct PoolerWarnings([AtomicBool; Change::ALL.len()]);

impl PoolerWarnings {
    /// Warns of a statement that is about to be sent, once for each kind of statement. `prefix`: the prefix of the
    /// names of the database's settings.
    #[cold]
    pub(super) fn warn_of(&self, change: Change, prefix: &str) {
        let Self(warned) = self;
        let Some((what, instead)) = advice(change) else { return };
        if !warned[change as usize].swap(true, Ordering::Relaxed) {
            let instead = instead.replace("DIRECT_", &format!("{prefix}DIRECT_"));
            tracing::warn!(
                "{what} went through a transaction pooler ({prefix}DATABASE_POOLER), and stays on a connection of the server \
                 that other clients get next; {instead}"
            );
        }
    }
}
