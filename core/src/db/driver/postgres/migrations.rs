//! The lock for migrations on PostgreSQL, its holder, and what an interrupted migration leaves behind.

use sqlx::{PgConnection, Row};

use super::super::{LockHolder, number_of_sqlx};

/// The lock of this crate: "encyclop" in ASCII, which no other program has by accident.
const OURS: i64 = 7_308_888_618_279_137_136;

/// Finds the holder of this lock.
const HOLDER: &str = "SELECT format('process %s (%s) from %s%s', a.pid, a.application_name, \
         coalesce(host(a.client_addr), 'a local socket'), ', since ' || a.backend_start::timestamp(0)), \
         coalesce(a.state = 'active', false) \
     FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
       AND (l.classid::bigint << 32) | l.objid::bigint = $1 \
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Takes the lock of this crate and that of sqlx's own tools, both or none, or returns the holder of one of them.
///
/// A session that waited for the second lock while holding the first would look idle to those that wait for the first.
pub(super) async fn try_lock(
    connection: &mut PgConnection,
) -> Result<Option<LockHolder>, sqlx::Error> {
    let database: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut *connection).await?;
    let numbers = [OURS, number_of_sqlx(&database)];
    for (index, number) in numbers.into_iter().enumerate() {
        // A session that has it already gets it again.
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(number)
            .fetch_one(&mut *connection)
            .await?;
        if taken {
            continue;
        }
        for taken in &numbers[..index] {
            let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(taken);
            unlock.execute(&mut *connection).await?;
        }
        let holder = sqlx::query(HOLDER).bind(number).fetch_optional(connection).await?;
        return Ok(Some(match holder {
            Some(row) => LockHolder { name: row.try_get(0)?, works: row.try_get(1)? },
            // The holder released it in between, and the lock is tried again soon.
            None => LockHolder { name: String::new(), works: true },
        }));
    }
    Ok(None)
}

/// The invalid indexes that no session is building now.
pub(super) async fn invalid_indexes(
    connection: &mut PgConnection,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT c.relname::text, format('%I.%I', n.nspname, c.relname) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE NOT i.indisvalid AND c.relkind = 'i' \
           AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)",
    )
    .fetch_all(connection)
    .await
}
