//! Migrations: on a connection of their own, under a lock that is waited for with patience and an end.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, Connection};
use sqlx_core::migrate::Migrate;
use tokio::time::Instant;

use super::builder::START_PATIENCE;
use super::connect::{Connector, RetryDeadline, Timeouts};
use super::credentials::Credentials;
use super::driver::{Driver, Tuning};
use super::plan::{Inputs, Plan, Statements};
use super::settings::{DatabaseSettings, Kind, Pooler};
use super::{Db, Error};
use crate::{ConfigError, Host};

/// How long another process may hold the lock before we give up, unless `DATABASE_LOCK_TIMEOUT` says, and how long a statement of a migration may
/// wait for a lock on a table while everybody else queues up behind it.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

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
        let applied = if conn.unnamed {
            applied_one_by_one::<DB>(&mut conn.connection, migrator).await
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
            .map(|migration| format!("{} ({})", migration.version, migration.description))
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

/// Brings the schema up to date.
pub(super) async fn migrate<DB: Driver>(
    host: &Host,
    settings: &DatabaseSettings,
    credentials: Credentials,
    migrator: &Migrator,
) -> Result<(), Error> {
    let url = match (&settings.direct_url, settings.pooler) {
        (Some(direct), _) => direct,
        (None, Pooler::None) => &settings.url,
        (None, _) => {
            return Err(ConfigError::new(
                "DIRECT_DATABASE_URL",
                "is not set; migrations take a lock of their session, which a pooler would lose: name the server itself",
            )
            .into());
        }
    };
    let plan = Plan::new(&Inputs::gather(host, settings, None, 0))?;
    let tuning = Tuning {
        pooler: Pooler::None,
        application: "anyhost/migrate",
        demands_tls: host.demands_database_tls(),
    };
    let options = DB::options(url, &tuning)?;
    let timeouts = Timeouts {
        connect: plan.connect_timeout(),
        statements: Statements::Named,
        says_why: plan.keepalive_interval().is_some(),
    };
    let connector = Connector::<DB>::new(options, credentials, Pooler::None, url.place(), timeouts);
    let deadline = RetryDeadline::at(Instant::now() + START_PATIENCE);
    // What it is admitted with has the server end what a process that is stopped half-way leaves behind.
    let opened = connector.retry(deadline).await;
    let opened = opened.map_err(|failure| failure.into_error_about(url))?;
    let mut connection = opened.connection.session.connection;
    let patience = settings.lock_timeout.unwrap_or(LOCK_PATIENCE);
    let outcome = run::<DB>(&mut connection, migrator, patience).await;
    // Whatever happened: with the connection goes every lock it held.
    let _ = connection.close().await;
    outcome
}

/// The migrator's own lock waits for ever, and names nobody: ours is taken first.
async fn run<DB: Driver>(
    connection: &mut DB::Connection,
    migrator: &Migrator,
    patience: Duration,
) -> Result<(), Error> {
    match DB::lock_migrations(connection, patience).await {
        Ok(Ok(())) => {}
        Ok(Err(holder)) => {
            let whose = if holder.is_empty() { "somebody" } else { &holder };
            return Err(Error::Schema(format!(
                "the lock for migrations is held by {whose}, for more than {} s",
                patience.as_secs_f64()
            )));
        }
        Err(error) => return Err(Error::Schema(format!("the lock for migrations: {error}"))),
    }
    let mut seen = applied::<DB>(connection, migrator).await;
    loop {
        let Err(error) = migrator.run_direct(None, connection, false).await else { return Ok(()) };
        // SQLite has no lock that another process would wait for: what failed because somebody else was quicker
        // is done, and the rest is tried again.
        let now = applied::<DB>(connection, migrator).await;
        if DB::KIND != Kind::Sqlite || now <= seen {
            return Err(explain(error));
        }
        seen = now;
    }
}

/// How many migrations have been applied, by whomever.
async fn applied<DB: Driver>(connection: &mut DB::Connection, migrator: &Migrator) -> usize {
    match DB::KIND {
        Kind::Sqlite => {
            let applied = connection.list_applied_migrations(&migrator.table_name).await;
            applied.map_or(0, |applied| applied.len())
        }
        // They have a lock, and nobody else applies any.
        Kind::Postgres | Kind::MySql => 0,
    }
}

fn explain(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) => Error::Schema(format!("the migration failed: {error}")),
        other => Error::Schema(format!("the migration failed: {other}")),
    }
}

/// The migrations that were applied, asked so that no statement is prepared: behind a pooler it would be on another
/// connection by the time it is run.
async fn applied_one_by_one<DB: Driver>(
    connection: &mut DB::Connection,
    migrator: &Migrator,
) -> Result<Vec<i64>, MigrateError> {
    let mut applied = Vec::new();
    for version in migrator.iter().map(|migration| migration.version) {
        // The number is ours, and so is the name.
        let question = format!("SELECT 1 FROM {} WHERE version = {version}", migrator.table_name);
        let found = DB::fetch_optional(connection, AssertSqlSafe(question)).await;
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
