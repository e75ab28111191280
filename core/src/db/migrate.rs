//! Migrations: on a connection of their own, under a lock that is polled for; the log says what was applied.

mod failure;
mod lock;
mod run;

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, Connection, Executor};
use sqlx_core::migrate::Migrate;
use tokio::time::Instant;

use super::builder::{DbBuilder, START_TIMEOUT};
use super::connect::connect_until;
use super::driver::Driver;
use super::plan::{Inputs, Plan};
use super::settings::{Kind, Pooler};
use super::{Db, Error, Session};
use crate::{ConfigError, Host, Paradigm};

/// How long the holder of the lock may do nothing before a waiting process gives up, unless `DATABASE_LOCK_TIMEOUT`
/// sets it; and how long a statement of a migration may wait for a lock on a table while everything else queues up
/// behind it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

impl<DB: Driver> Db<DB> {
    /// Brings the schema of the database that `DATABASE_URL` names up to date: [`builder`](Self::builder) with nothing
    /// else to say.
    ///
    /// # Errors
    /// As for [`DbBuilder::migrate`](super::DbBuilder::migrate).
    pub async fn migrate(host: &Host, migrator: &Migrator) -> Result<(), Error> {
        Self::builder(host).migrate(migrator).await
    }

    /// Checks that every migration has been applied, for `App::start`.
    ///
    /// # Errors
    /// [`Error::Schema`] says what is missing and what to run.
    pub async fn check_schema(&self, migrator: &Migrator) -> Result<(), Error> {
        let mut conn = self.conn().await?;
        // Reading what was applied changes nothing in the session, so the connection need not be closed for it.
        let applied = if conn.is_unnamed() || DB::KIND == Kind::Sqlite {
            applied_one_by_one(&mut conn, migrator).await
        } else {
            let listed = conn.connection.list_applied_migrations(&migrator.table_name).await;
            listed.map(|applied| applied.iter().map(|applied| applied.version).collect())
        };
        let applied: Vec<i64> = match applied {
            Ok(applied) => applied,
            Err(MigrateError::Execute(error)) if !is_missing_table(&error) => {
                conn.close();
                return Err(Error::from_session::<DB>(error));
            }
            Err(_) => Vec::new(),
        };
        let missing: Vec<String> = migrator
            .iter()
            .filter(|migration| !migration.migration_type.is_down_migration())
            .filter(|migration| !applied.contains(&migration.version))
            .map(run::migration_name)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::Schema(format!(
            "the database schema is not up to date, it lacks migration {}; run the migrate verb first",
            missing.join(", ")
        )))
    }
}

impl<DB: Driver> DbBuilder<'_, DB> {
    /// Brings the schema up to date, for `App::migrate`, and logs which migrations were applied: on a direct
    /// connection that is closed afterwards, so that no lock outlives it.
    ///
    /// A server that cannot be reached, or takes no more connections, is tried for ten seconds, as at a start.
    /// Processes that migrate at once take turns, and all succeed: a process waits for as long as the one before it
    /// is at work, however long that takes, and gives up if that one has done nothing for a minute
    /// (`DATABASE_LOCK_TIMEOUT`). The lock is polled for, never waited for inside a statement, so that `CREATE INDEX
    /// CONCURRENTLY` does not wait for the waiting process. Tools of sqlx are excluded too.
    ///
    /// # Errors
    /// [`Error::Setting`] if the URL is of another kind of database, or leads to a pooler and `DIRECT_DATABASE_URL`
    /// is not set; [`Error::Unreachable`], [`Error::Refused`], [`Error::NoDatabase`] and [`Error::Credentials`] if no
    /// connection can be opened; [`Error::Schema`] if another process holds the lock and does nothing;
    /// [`Error::Migration`] if a migration fails, or was interrupted earlier: the text says what is left of it and
    /// the way out.
    pub async fn migrate(self, migrator: &Migrator) -> Result<(), Error> {
        let settings = self.settings()?;
        // The database that the App opens and the one that is migrated have to be of the driver's kind.
        settings.url.expect_kind(DB::KIND)?;
        let url = match (&settings.direct_url, settings.pooler) {
            (Some(direct), _) => direct,
            (None, Pooler::None) => &settings.url,
            (None, _) => {
                return Err(ConfigError::new(
                    settings.url.variable_of("DIRECT_DATABASE_URL"),
                    "is not set; migrations take a lock of their session, which a pooler would lose: name the server itself",
                )
                .into());
            }
        };
        url.expect_kind(DB::KIND)?;
        url.log_ignored();
        let timeout = settings.lock_timeout.unwrap_or(LOCK_TIMEOUT);
        let inputs = Inputs::gather(self.host, &settings, None, 0);
        let plan = Plan::new(&Inputs { pooler: Pooler::None, ..inputs })?;
        let connector =
            self.connector(&settings, url, Pooler::None, &plan, "anyhost/migrate").await?;
        let until = Instant::now() + START_TIMEOUT;
        let says_why = self.host.paradigm() == Paradigm::LongRunning;
        // Reading the server information also has the server end the work of a process that is stopped half-way.
        let opened = connect_until(&connector, (until, until), says_why).await?;
        let mut connection = opened.connection;
        let outcome =
            run::apply_all::<DB>(&mut connection, migrator, timeout, &url.location()).await;
        // Also after an error: closing the connection releases its locks.
        let _ = connection.close().await;
        outcome
    }
}

/// Returns the migrations that were applied, without preparing a statement: behind a pooler it would be on another
/// connection when it is run. Waits for a file that is locked.
async fn applied_one_by_one<DB: Driver>(
    session: &mut Session<DB>,
    migrator: &Migrator,
) -> Result<Vec<i64>, MigrateError> {
    let mut applied = Vec::new();
    for version in migrator.iter().map(|migration| migration.version) {
        // The number is ours, and so is the name.
        let question = format!("SELECT 1 FROM {} WHERE version = {version}", migrator.table_name);
        let found = session.fetch_optional(AssertSqlSafe(question)).await;
        applied.extend(found.map_err(MigrateError::Execute)?.map(|_| version));
    }
    Ok(applied)
}

/// Whether there is no table of migrations: nothing was ever migrated.
fn is_missing_table(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    // By its SQLSTATE on PostgreSQL and MySQL; SQLite has one code for many faults.
    matches!(error.code().as_deref(), Some("42P01" | "42S02"))
        || error.message().starts_with("no such table")
}
