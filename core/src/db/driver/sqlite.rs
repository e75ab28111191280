//! SQLite: one writer, many readers, no server.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Executor, Sqlite, SqliteConnection};
use tokio::time::timeout;

use super::sealed::DriverParts;
use super::{ConnectErrorKind, ErrorEffect, ServerInfo, Tuning, error_effect_without_server};
use crate::ConfigError;
use crate::db::settings::{DatabaseUrl, Kind, Pooler};

/// How long a lock is waited for while a connection is opened, by its thread.
const OPENS_WITHIN: Duration = Duration::from_secs(1);

/// How long the pool waits for the first ping to a driver's thread: longer than a living thread takes, unless it gets no
/// processor time.
const FIRST_PING: Duration = Duration::from_millis(10);

/// The steps of SQLite's virtual machine between two checks whether the statement was given up: some tens of
/// microseconds.
const STEPS: i32 = 1000;

impl DriverParts for Sqlite {
    const KIND: Kind = Kind::Sqlite;

    const SYSTEM: &'static str = "sqlite";

    /// Takes the write lock at once: a transaction that reads first and writes later could not get it any
    /// more once another has written, and would fail instead of waiting.
    const BEGIN: Option<&'static str> = Some("BEGIN IMMEDIATE");

    const NOTICES_CLOSE_WITHIN: Duration = Duration::ZERO;

    fn options(
        url: &DatabaseUrl,
        tuning: &Tuning<'_>,
    ) -> Result<SqliteConnectOptions, ConfigError> {
        let mut options = SqliteConnectOptions::from_str(url.expose())
            .map_err(|_| url.wrong("is not a SQLite URL such as sqlite:app.db?mode=rwc"))?
            .foreign_keys(true)
            .busy_timeout(OPENS_WITHIN);
        if let Some(name) = &tuning.memory {
            options = options.filename(name).in_memory(true).shared_cache(true);
        }
        // The driver can only set the journal's mode, which a read-only file does not allow.
        if !url.is_read_only() {
            options =
                options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal);
        }
        Ok(options)
    }

    /// From here on callers wait for locks themselves, and a statement that was given up ends.
    async fn server_info(
        connection: &mut SqliteConnection,
        _pooler: Pooler,
    ) -> Result<ServerInfo, sqlx::Error> {
        // Reads the file, which opening alone does not.
        connection.execute("PRAGMA schema_version; PRAGMA busy_timeout = 0").await?;
        let interrupt = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&interrupt);
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(STEPS, move || !flag.load(Ordering::Relaxed));
        Ok(ServerInfo { interrupt: Some(interrupt), ..ServerInfo::default() })
    }

    /// Inside a transaction another cannot begin.
    async fn is_in_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        match connection.execute("BEGIN").await {
            Err(sqlx::Error::Database(_)) => Ok(true),
            Err(error) => Err(error),
            Ok(_) => connection.execute("ROLLBACK").await.map(|_| false),
        }
    }

    /// SQLite prepares a statement of the old schema again when it next runs. The driver does not notice, and its
    /// thread panics if the number of columns has changed. Running any statement makes SQLite read the new schema.
    async fn forget_statements(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        connection.clear_cached_statements().await?;
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").await.map(drop)
    }

    /// Pings until one ping is answered or cannot be sent: one that is sent while the thread panics stays in its queue, and
    /// its answer never comes.
    async fn check_thread(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let mut wait = FIRST_PING;
        loop {
            if let Ok(outcome) = timeout(wait, connection.ping()).await {
                return outcome;
            }
            wait *= 2;
        }
    }

    fn error_effect(error: &sqlx::Error) -> ErrorEffect {
        match error {
            sqlx::Error::Database(_) => ErrorEffect::Fine,
            error => error_effect_without_server(error),
        }
    }

    /// SQLITE_BUSY of any kind ends by itself: if two connections change a new file to WAL at once, SQLite does
    /// not wait as it does elsewhere.
    fn connect_error_kind(error: &sqlx::Error) -> ConnectErrorKind {
        let sqlx::Error::Database(error) = error else { return ConnectErrorKind::File };
        let code = error.code().and_then(|code| code.parse::<u32>().ok());
        // The kind of busy is in the upper bits.
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => ConnectErrorKind::Unreachable,
            _ => ConnectErrorKind::File,
        }
    }

    /// Migrations have no caller that could give up: they wait in their connection.
    fn wait_for_locks(millis: i32) -> Option<String> {
        Some(format!("PRAGMA busy_timeout = {millis}"))
    }

    fn executor<'c>(connection: &'c mut SqliteConnection) -> impl Executor<'c, Database = Self> {
        connection
    }
}
