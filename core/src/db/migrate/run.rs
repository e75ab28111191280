//! Applying what has not been applied, migration by migration.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{AssertSqlSafe, Connection, Executor};
use sqlx_core::migrate::{AppliedMigration, Migrate};

use crate::db::Error;
use crate::db::driver::Driver;
use crate::db::settings::Kind;

use super::{failure, is_missing_table, lock};

/// The version and the description of a migration.
pub(super) fn migration_name(migration: &Migration) -> String {
    format!("{} ({})", migration.version, migration.description)
}

/// Applies every migration that has not been applied, under the lock, and logs them: for the operator the log is the
/// result of the `migrate` verb.
///
/// The migrator's own `run` waits for its lock inside a statement, names no holder, and does not say what it did.
pub(super) async fn apply_all<DB: Driver>(
    connection: &mut DB::Connection,
    migrator: &Migrator,
    patience: Duration,
    place: &str,
) -> Result<(), Error> {
    let failed = |error| failure::migration_error(migrator, error, String::new());
    // Servers accept 24 days at most.
    let millis = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
    if let Some(statement) = DB::wait_for_locks(millis) {
        // The text is ours except for a number.
        let waits = DB::executor(connection).execute(AssertSqlSafe(statement)).await;
        waits.map_err(|error| failed(MigrateError::Execute(error)))?;
    }
    if migrator.locking {
        lock::take::<DB>(connection, patience).await?;
    }
    for schema in migrator.create_schemas.iter() {
        connection.create_schema_if_not_exists(schema).await.map_err(failed)?;
    }
    let table = &*migrator.table_name;
    let mut known = match connection.list_applied_migrations(table).await {
        Err(MigrateError::Execute(error)) if is_missing_table(&error) => {
            connection.ensure_migrations_table(table).await.map_err(failed)?;
            Vec::new()
        }
        listed => listed.map_err(failed)?,
    };
    if let Some(version) = connection.dirty_version(table).await.map_err(failed)? {
        return Err(failed(MigrateError::Dirty(version)));
    }
    verify(migrator, &known).map_err(failed)?;
    let (mut applied, before) = (Vec::new(), known.len());
    let ours = |migration: &&Migration| !migration.migration_type.is_down_migration();
    for migration in migrator.iter().filter(ours) {
        if is_applied(&known, migration) {
            continue;
        }
        // The previous migration may have released the locks of this session (DISCARD ALL), and SQLite has no lock:
        // another process may have applied this one meanwhile.
        if migrator.locking {
            lock::take::<DB>(connection, patience).await?;
        }
        let forgotten = connection.clear_cached_statements().await;
        forgotten.map_err(|error| failed(MigrateError::Execute(error)))?;
        known = connection.list_applied_migrations(table).await.map_err(failed)?;
        if is_applied(&known, migration) {
            continue;
        }
        failure::refuse_leftovers::<DB>(connection, migration).await?;
        let Err(error) = connection.apply(table, migration).await else {
            applied.push(migration_name(migration));
            continue;
        };
        if DB::KIND == Kind::Sqlite {
            let now = connection.list_applied_migrations(table).await.unwrap_or_default();
            if is_applied(&now, migration) {
                continue;
            }
        }
        return Err(failure::failed_migration::<DB>(connection, migrator, migration, error).await);
    }
    match applied.len() {
        0 => tracing::info!("{place} is up to date: {before} migrations were applied earlier"),
        1 => tracing::info!("1 migration applied to {place}: {}", applied.join(", ")),
        count => tracing::info!("{count} migrations applied to {place}: {}", applied.join(", ")),
    }
    Ok(())
}

fn is_applied(known: &[AppliedMigration], migration: &Migration) -> bool {
    known.iter().any(|applied| applied.version == migration.version)
}

/// Checks that the applied migrations are those of this program.
fn verify(migrator: &Migrator, known: &[AppliedMigration]) -> Result<(), MigrateError> {
    for applied in known {
        let ours = migrator.iter().find(|migration| {
            migration.version == applied.version && !migration.migration_type.is_down_migration()
        });
        match ours {
            None if !migrator.ignore_missing => {
                return Err(MigrateError::VersionMissing(applied.version));
            }
            Some(ours) if ours.checksum != applied.checksum => {
                return Err(MigrateError::VersionMismatch(applied.version));
            }
            _ => {}
        }
    }
    Ok(())
}
