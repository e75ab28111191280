//! SQLite: one writer, many readers, no server.

use std::str::FromStr;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Execute, Executor, SqlStr, Sqlite, SqliteConnection};
use sqlx_core::describe::Describe;

use super::{
    Admission, Driver, Refusal, Step, Tuning, Verdict, quiet, run_statements, sealed,
    verdict_without_server,
};
use crate::ConfigError;
use crate::db::settings::{DatabaseUrl, Kind, Pooler};
use crate::db::statement::{Effect, of_sqlite};

impl sealed::Sealed for Sqlite {}

impl Driver for Sqlite {
    const KIND: Kind = Kind::Sqlite;

    const SYSTEM: &'static str = "sqlite";

    /// Takes the write lock at once: a transaction that reads first and writes later could not get it any
    /// more once another has written, and would fail instead of waiting.
    const BEGIN: Option<&'static str> = Some("BEGIN IMMEDIATE");

    const NOTICES: Duration = Duration::ZERO;

    fn options(
        url: &DatabaseUrl,
        _tuning: &Tuning<'_>,
    ) -> Result<SqliteConnectOptions, ConfigError> {
        let options = SqliteConnectOptions::from_str(url.expose())
            .map_err(|_| url.wrong("is not a SQLite URL such as sqlite:app.db?mode=rwc"))?;
        // A writer outside a transaction of ours waits for the lock as long as a caller may wait at all.
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(30));
        Ok(quiet(options))
    }

    fn with_password(options: &SqliteConnectOptions, _password: &str) -> SqliteConnectOptions {
        options.clone()
    }

    fn with_host(options: &SqliteConnectOptions, _host: &str) -> SqliteConnectOptions {
        options.clone()
    }

    fn admit(
        _connection: &mut SqliteConnection,
        _pooler: Pooler,
    ) -> BoxFuture<'_, Result<Admission, sqlx::Error>> {
        Box::pin(std::future::ready(Ok(Admission::default())))
    }

    fn effect(text: &str) -> Effect {
        of_sqlite(text)
    }

    /// Inside a transaction another cannot begin.
    fn is_in_transaction(
        connection: &mut SqliteConnection,
    ) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
        Box::pin(async {
            match connection.execute("BEGIN").await {
                Err(sqlx::Error::Database(_)) => Ok(true),
                Err(error) => Err(error),
                Ok(_) => connection.execute("ROLLBACK").await.map(|_| false),
            }
        })
    }

    /// A statement that is prepared by an old schema gets the new one when it first runs, which the driver does not
    /// notice: its thread panics if the number of columns is another. Running any statement brings the new one.
    fn forget_statements(
        connection: &mut SqliteConnection,
    ) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        Box::pin(async {
            connection.clear_cached_statements().await?;
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").await.map(drop)
        })
    }

    fn verdict(error: &sqlx::Error) -> Verdict {
        match error {
            sqlx::Error::Database(_) => Verdict::Fine,
            error => verdict_without_server(error),
        }
    }

    /// SQLITE_BUSY, of whatever kind, ends by itself: where two that connect change a new file to WAL, SQLite does
    /// not wait as it does elsewhere.
    fn refusal(error: &sqlx::Error) -> Refusal {
        let sqlx::Error::Database(error) = error else { return Refusal::File };
        let code = error.code().and_then(|code| code.parse::<u32>().ok());
        // The kind of busy is in the upper bits.
        match code.map(|code| code & 0xff) {
            Some(5) => Refusal::Unreachable,
            _ => Refusal::File,
        }
    }

    run_statements!();
}
