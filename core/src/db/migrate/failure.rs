//! Errors of migrations: what a failed or interrupted migration has left behind, and the way out.

use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx_core::migrate::Migrate;

use crate::db::Error;
use crate::db::driver::Driver;
use crate::db::error::DriverMessage;
use crate::db::settings::Kind;

use super::is_missing_table;
use super::run::migration_name;

/// The error for a failure of the migrator, with `more` after its text.
pub(super) fn migration_error(migrator: &Migrator, error: MigrateError, more: String) -> Error {
    let named = |version: i64| {
        let known = migrator.iter().find(|migration| migration.version == version);
        known.map_or_else(|| version.to_string(), migration_name)
    };
    let mut text = match &error {
        MigrateError::Execute(error) => format!("migrating failed: {}", DriverMessage(error)),
        MigrateError::ExecuteMigration(error, version) => {
            format!("migration {} failed: {}", named(*version), DriverMessage(error))
        }
        MigrateError::VersionMismatch(version) => format!(
            "migration {} was applied with another text than this program has: restore its file, and put the change \
             into a new migration",
            named(*version)
        ),
        MigrateError::VersionMissing(version) => format!(
            "migration {version} was applied to this database and this program does not have it: it was built from \
             an older state, or the file was removed"
        ),
        MigrateError::Dirty(version) => {
            let table = &migrator.table_name;
            format!(
                "migration {} began and did not finish: {}",
                named(*version),
                unfinished_way_out(table, *version)
            )
        }
        other => format!("migrating failed: {other}"),
    };
    text.push_str(&more);
    Error::Migration { text, cause: Arc::new(error) }
}

/// The way out if the table of migrations lists a migration as unfinished.
fn unfinished_way_out(table: &str, version: i64) -> String {
    format!(
        "look what of it is in the database; then either undo that by hand and run \
         DELETE FROM {table} WHERE version = {version}, which has it applied again, or do the rest by hand and run \
         UPDATE {table} SET success = TRUE WHERE version = {version}"
    )
}

/// Refuses a migration if an interrupted `CREATE INDEX CONCURRENTLY` of it has left an invalid index: with `IF NOT
/// EXISTS` the server would skip that index, and the migration would count as applied.
pub(super) async fn refuse_leftovers<DB: Driver>(
    connection: &mut DB::Connection,
    migration: &Migration,
) -> Result<(), Error> {
    let left = invalid_indexes::<DB>(connection, migration).await;
    let Some(way_out) = way_out(&left) else { return Ok(()) };
    Err(Error::Schema(format!(
        "migration {} was interrupted before and left something behind: {way_out}",
        migration_name(migration)
    )))
}

/// The error for a migration that has just failed, with what it left behind.
pub(super) async fn failed_migration<DB: Driver>(
    connection: &mut DB::Connection,
    migrator: &Migrator,
    migration: &Migration,
    error: MigrateError,
) -> Error {
    let error = match error {
        // The statement that records the migration failed, or BEGIN or COMMIT around it.
        MigrateError::Execute(error) => MigrateError::ExecuteMigration(error, migration.version),
        other => other,
    };
    let mut more = String::new();
    let version = migration.version;
    if DB::KIND == Kind::Postgres
        && let MigrateError::ExecuteMigration(cause, _) = &error
        && is_missing_table(cause)
        && cause.to_string().contains(&*migrator.table_name)
    {
        more.push_str(
            "; it changes search_path, as the first lines of a dump of pg_dump do, so that the table of migrations is not \
             found: take that line out, or put RESET search_path at its end",
        );
    }
    // Writing to a string cannot fail.
    if let Ok(Some(unfinished)) = connection.dirty_version(&migrator.table_name).await
        && unfinished == version
    {
        let way_out = unfinished_way_out(&migrator.table_name, version);
        let _ = write!(more, "; it counts as unfinished, and what it did before stays: {way_out}");
    } else if migration.no_tx {
        more.push_str("; it runs outside of a transaction, so what it did before stays");
    }
    if let Some(way_out) = way_out(&invalid_indexes::<DB>(connection, migration).await) {
        let _ = write!(more, "; {way_out}");
    }
    migration_error(migrator, error, more)
}

/// The invalid indexes that a migration would build and that no session is building now.
async fn invalid_indexes<DB: Driver>(
    connection: &mut DB::Connection,
    migration: &Migration,
) -> Vec<String> {
    let text = migration.sql.as_str().to_lowercase();
    // A transaction leaves no invalid index behind. A migration that only drops the index is the way out.
    if !migration.no_tx || !text.contains("create") {
        return Vec::new();
    }
    // If the server cannot list them, no index is named.
    let all = DB::invalid_indexes(connection).await.unwrap_or_default();
    let named = |index: &str| {
        let index = index.to_lowercase();
        text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .any(|word| word == index)
    };
    all.into_iter().filter(|(index, _)| named(index)).map(|(_, qualified)| qualified).collect()
}

fn way_out(indexes: &[String]) -> Option<String> {
    (!indexes.is_empty()).then(|| {
        format!(
            "the index {} is invalid, as an interrupted CREATE INDEX CONCURRENTLY leaves it: run DROP INDEX \
             CONCURRENTLY {0}, then migrate again",
            indexes.join(", ")
        )
    })
}
