//! The lock for migrations on MySQL and MariaDB, and its holder.

use sqlx::{MySqlConnection, Row};

use super::super::{LockHolder, number_of_sqlx};

/// Finds the holder of this lock. A session without the right to see the other one gets only its number.
const HOLDER: &str = "SELECT CONCAT('connection ', l.id, COALESCE(CONCAT(' (', p.user, ') from ', p.host, \
         ', which has done the same for ', p.time, ' s'), '')), \
         CAST(COALESCE(p.command <> 'Sleep', FALSE) AS SIGNED) \
     FROM (SELECT IS_USED_LOCK(?) AS id) l LEFT JOIN information_schema.processlist p ON p.id = l.id";

/// Takes the lock of this crate and that of sqlx's own tools, both or none, or returns the holder of one of them.
///
/// A session that waited for the second lock while holding the first would look idle to those that wait for the first.
pub(super) async fn try_lock(
    connection: &mut MySqlConnection,
) -> Result<Option<LockHolder>, sqlx::Error> {
    let database: Option<String> =
        sqlx::query_scalar("SELECT DATABASE()").fetch_one(&mut *connection).await?;
    let database = database.unwrap_or_default();
    // A name of a lock has at most 64 characters.
    let ours: String = format!("anyhost:{database}").chars().take(64).collect();
    let names = [ours, format!("{:x}", number_of_sqlx(&database))];
    for (index, name) in names.iter().enumerate() {
        let lock = sqlx::query_scalar("SELECT GET_LOCK(?, 0)").bind(name);
        let taken: Option<i64> = lock.fetch_one(&mut *connection).await?;
        if taken == Some(1) {
            continue;
        }
        for taken in &names[..index] {
            sqlx::query("DO RELEASE_LOCK(?)").bind(taken).execute(&mut *connection).await?;
        }
        let row = sqlx::query(HOLDER).bind(name).fetch_one(connection).await?;
        let holder: Option<String> = row.try_get(0)?;
        let works: i64 = row.try_get(1)?;
        // No holder: it released the lock in between, and the lock is tried again soon.
        let works = works != 0 || holder.is_none();
        return Ok(Some(LockHolder { name: holder.unwrap_or_default(), works }));
    }
    Ok(None)
}
