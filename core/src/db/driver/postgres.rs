//! PostgreSQL: its limits, its error codes, and how it works behind poolers.

mod connect_error;
mod migrations;
mod options;
mod server_info;

use std::borrow::Cow;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgSslMode};
use sqlx::{Executor, PgConnection, Postgres};

use super::sealed::DriverParts;
use super::{
    ConnectErrorKind, ErrorEffect, LockHolder, ServerInfo, Tuning, error_effect_without_server,
};
use crate::ConfigError;
use crate::db::settings::{DatabaseUrl, Kind, Pooler};

impl DriverParts for Postgres {
    const KIND: Kind = Kind::Postgres;

    const SYSTEM: &'static str = "postgresql";

    /// The interval of the server's check, and some time to act.
    const NOTICES_CLOSE_WITHIN: Duration = Duration::from_millis(server_info::CHECK_INTERVAL + 25);

    fn options(url: &DatabaseUrl, tuning: &Tuning<'_>) -> Result<PgConnectOptions, ConfigError> {
        options::from_url(url, tuning)
    }

    fn with_password(options: &PgConnectOptions, password: &str) -> PgConnectOptions {
        options.clone().password(password)
    }

    fn endpoint(options: &PgConnectOptions) -> Option<(&str, u16)> {
        let host = options.get_host();
        let local = options.get_socket().is_some() || host.starts_with('/');
        let named = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
        (!local && !named).then(|| (host, options.get_port()))
    }

    fn with_host(options: &PgConnectOptions, host: &str) -> PgConnectOptions {
        options.clone().host(host)
    }

    /// As libpq: `allow` begins without TLS, and uses it if the server demands it.
    fn second_attempt(
        options: &PgConnectOptions,
        refused: &sqlx::Error,
    ) -> Option<PgConnectOptions> {
        let unencrypted = code(refused).as_deref() == Some("28000");
        (unencrypted && matches!(options.get_ssl_mode(), PgSslMode::Allow))
            .then(|| options.clone().ssl_mode(PgSslMode::Require))
    }

    async fn server_info(
        connection: &mut PgConnection,
        pooler: Pooler,
    ) -> Result<ServerInfo, sqlx::Error> {
        server_info::ask(connection, pooler).await
    }

    const REFUSES_AFTER_ERROR: bool = true;

    async fn is_in_transaction(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        // It is an error outside of a transaction, and in one that has failed.
        match connection.execute("SAVEPOINT anyhost").await {
            Err(error) if code(&error).as_deref() == Some("25P01") => Ok(false),
            outcome => outcome.map(|_| true),
        }
    }

    fn error_effect(error: &sqlx::Error) -> ErrorEffect {
        let sqlx::Error::Database(database) = error else {
            return error_effect_without_server(error);
        };
        match database.code().as_deref() {
            // The server shuts down, crashed, starts up, dropped the database.
            Some("57P01" | "57P02" | "57P03" | "57P04") => ErrorEffect::Outdated,
            Some("25006") => ErrorEffect::ReadOnly,
            _ if is_stale(database.as_ref()) => ErrorEffect::Stale,
            // A statement that the driver has prepared exists already, or no longer: a pooler has exchanged the
            // session. With another name it is a fault of the statement itself.
            Some("42P05" | "26000") if database.message().contains("\"sqlx_s_") => {
                ErrorEffect::Pooled
            }
            Some("08P01") if database.message().starts_with("bind message") => ErrorEffect::Fine,
            // Timeouts that end the session; connection exceptions.
            Some("57P05" | "25P03" | "25P04") => ErrorEffect::Broken,
            Some(code) if code.starts_with("08") => ErrorEffect::Broken,
            _ => ErrorEffect::Fine,
        }
    }

    fn connect_error_kind(error: &sqlx::Error) -> ConnectErrorKind {
        connect_error::classify(error)
    }

    fn cancel(id: i64) -> Option<String> {
        // The server reuses the numbers of processes that have ended, so only a process of the same user and
        // application is ended.
        Some(format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = {id} \
             AND usename = session_user AND application_name = current_setting('application_name')"
        ))
    }

    /// A connection whose state the server does not show counts as at work.
    async fn at_work(connection: &mut PgConnection, ids: &[i64]) -> Result<Vec<i64>, sqlx::Error> {
        const AT_WORK: &str = "SELECT pid::int8 FROM pg_stat_activity \
             WHERE pid = ANY($1) AND (state IS NULL OR state NOT LIKE 'idle%')";
        sqlx::query_scalar(AT_WORK).bind(ids).persistent(false).fetch_all(connection).await
    }

    /// The server ends a statement when the time is over, and a second later the transaction of a client that does
    /// nothing.
    fn begin_within(left: Duration) -> Option<String> {
        let millis = left.as_millis().max(1);
        Some(format!(
            "BEGIN; SET LOCAL statement_timeout = {millis}; \
             SET LOCAL idle_in_transaction_session_timeout = {}",
            millis + 1000
        ))
    }

    fn wait_for_locks(millis: i32) -> Option<String> {
        Some(format!("SET lock_timeout = {millis}"))
    }

    async fn try_lock_migrations(
        connection: &mut PgConnection,
    ) -> Result<Option<LockHolder>, sqlx::Error> {
        migrations::try_lock(connection).await
    }

    async fn invalid_indexes(
        connection: &mut PgConnection,
    ) -> Result<Vec<(String, String)>, sqlx::Error> {
        migrations::invalid_indexes(connection).await
    }

    fn executor<'c>(connection: &'c mut PgConnection) -> impl Executor<'c, Database = Self> {
        connection
    }
}

/// Whether a statement was prepared for a table or a type that has changed since.
fn is_stale(error: &dyn DatabaseError) -> bool {
    let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else { return false };
    match error.code() {
        // The text may be translated, the place in the server's source is not.
        "0A000" => {
            error.routine() == Some("RevalidateCachedQuery")
                || error.message() == "cached plan must not change result type"
        }
        "XX000" => error.message().starts_with("cache lookup failed for type"),
        _ => false,
    }
}

fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}
