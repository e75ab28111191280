//! MySQL and MariaDB: their limits and error numbers.

mod migrations;

use std::str::FromStr;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlSslMode};
use sqlx::{Executor, MySql, MySqlConnection, Row};

use super::sealed::DriverParts;
use super::{
    BackendId, ConnectErrorKind, ErrorEffect, Limits, LockHolder, ServerIdentity, ServerInfo,
    Tuning, error_effect_without_server, without_brackets,
};
use crate::ConfigError;
use crate::db::settings::{DatabaseUrl, Kind, Pooler};

impl DriverParts for MySql {
    const KIND: Kind = Kind::MySql;

    const SYSTEM: &'static str = "mysql";

    /// The server does not notice; [`cancel`](DriverParts::cancel) ends its work.
    const NOTICES_CLOSE_WITHIN: Duration = Duration::from_millis(50);

    fn options(url: &DatabaseUrl, tuning: &Tuning<'_>) -> Result<MySqlConnectOptions, ConfigError> {
        let mut options = MySqlConnectOptions::from_str(url.expose()).map_err(|_| {
            url.wrong(
                "is not a MySQL URL; a special character in a password must be percent-encoded",
            )
        })?;
        if let Some(address) = without_brackets(options.get_host()) {
            options = options.host(&address);
        }
        // A token is sent in clear text, which is safe only through TLS.
        let encrypted =
            !matches!(options.get_ssl_mode(), MySqlSslMode::Disabled | MySqlSslMode::Preferred);
        options = options.enable_cleartext_plugin(tuning.has_provider && encrypted);
        match tuning.pooler {
            Pooler::None => {}
            // The SET statement that sqlx sends after connecting would pin the connection to this client.
            Pooler::RdsProxy => {
                options = options
                    .pipes_as_concat(false)
                    .no_engine_substitution(false)
                    .timezone(None)
                    .set_names(false);
            }
            Pooler::PgBouncer | Pooler::PgBouncerPrepared => {
                let variable = url.variable_of("DATABASE_POOLER");
                return Err(ConfigError::new(variable, "PgBouncer does not speak MySQL"));
            }
        }
        Ok(options)
    }

    fn with_password(options: &MySqlConnectOptions, password: &str) -> MySqlConnectOptions {
        options.clone().password(password)
    }

    fn endpoint(options: &MySqlConnectOptions) -> Option<(&str, u16)> {
        let named = matches!(options.get_ssl_mode(), MySqlSslMode::VerifyIdentity);
        (options.get_socket().is_none() && !named).then(|| (options.get_host(), options.get_port()))
    }

    fn with_host(options: &MySqlConnectOptions, host: &str) -> MySqlConnectOptions {
        options.clone().host(host)
    }

    async fn server_info(
        connection: &mut MySqlConnection,
        pooler: Pooler,
    ) -> Result<ServerInfo, sqlx::Error> {
        let row = connection
            .fetch_one(
                "SELECT CAST(@@max_connections AS SIGNED), CONCAT_WS('|', @@read_only, @@innodb_read_only), \
             CAST(CONNECTION_ID() AS SIGNED), CAST(@@wait_timeout AS SIGNED), \
             CAST(@@max_user_connections AS SIGNED), CAST(UNIX_TIMESTAMP() AS SIGNED), \
             CONCAT_WS('|', @@hostname, @@port, @@server_id, @@datadir, @@socket), \
             CAST(FIND_IN_SET('NO_BACKSLASH_ESCAPES', @@sql_mode) > 0 AS SIGNED)",
            )
            .await?;
        let direct = pooler == Pooler::None;
        let status = if direct { Some(status(connection).await?) } else { None };
        let max: i64 = row.try_get(0)?;
        // Zero: no limit.
        let account = usize::try_from(row.try_get::<i64, _>(4)?).ok().filter(|most| *most > 0);
        let (now, description) = (row.try_get::<i64, _>(5)?, row.try_get::<String, _>(6)?);
        let number = row.try_get(2)?;
        let backend = status.map(|(_, uptime)| BackendId {
            server: ServerIdentity::new(&description, now - uptime),
            number,
        });
        Ok(ServerInfo {
            // One more than max_connections is kept for an administrator, so none of them is reserved.
            limits: direct.then(|| Limits {
                max_connections: max.try_into().unwrap_or(0),
                reserved: 0,
                account,
                database: None,
            }),
            used: status.map(|(used, _)| used),
            read_only: forbids_writes(&row.try_get::<String, _>(1)?),
            backend,
            survives_close: direct,
            unusual_backslashes: row.try_get::<i64, _>(7)? != 0,
            idle_timeout: u64::try_from(row.try_get::<i64, _>(3)?).ok().map(Duration::from_secs),
            interrupt: None,
        })
    }

    /// A fault of the statement alone (its number of columns, its data, a constraint, its syntax) undoes that
    /// statement; a deadlock and other errors may undo the transaction.
    fn may_end_transaction(error: &sqlx::Error) -> bool {
        let state = error.as_database_error().and_then(DatabaseError::code);
        !matches!(
            state.as_deref().and_then(|state| state.get(..2)),
            Some("21" | "22" | "23" | "42")
        )
    }

    /// A savepoint does nothing outside of a transaction, and cannot be released then.
    async fn is_in_transaction(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
        match connection.execute("SAVEPOINT anyhost; RELEASE SAVEPOINT anyhost").await {
            Err(error) if number(&error) == Some(1305) => Ok(false),
            outcome => outcome.map(|_| true),
        }
    }

    fn error_effect(error: &sqlx::Error) -> ErrorEffect {
        match number(error) {
            // The server shuts down.
            Some(1053) => ErrorEffect::Outdated,
            // --read-only, among other options that forbid a statement; InnoDB takes no writes, or a table takes none.
            Some(1290) if mentions_read_only(error) => ErrorEffect::ReadOnly,
            Some(1836 | 1036) => ErrorEffect::ReadOnly,
            // The statement was prepared for another schema, or not on this server.
            Some(1615 | 1243) => ErrorEffect::Stale,
            // Killed; packets out of order; interrupted, timed out, lost.
            Some(1317 | 1047 | 1152 | 1153 | 1155..=1161 | 1184 | 1927 | 4031) => {
                ErrorEffect::Broken
            }
            Some(_) => ErrorEffect::Fine,
            None => error_effect_without_server(error),
        }
    }

    fn connect_error_kind(error: &sqlx::Error) -> ConnectErrorKind {
        match number(error) {
            Some(1040 | 1203 | 1226) => ConnectErrorKind::Full,
            // Also: the user may not connect from this host, is locked (MySQL, MariaDB), or has an expired password.
            Some(1044 | 1045 | 1698 | 1130 | 3118 | 4151 | 1862) => ConnectErrorKind::Credentials,
            Some(1049) => ConnectErrorKind::Database,
            _ => ConnectErrorKind::Unreachable,
        }
    }

    fn cancel(id: i64) -> Option<String> {
        Some(format!("KILL {id}"))
    }

    async fn at_work(
        connection: &mut MySqlConnection,
        ids: &[i64],
    ) -> Result<Vec<i64>, sqlx::Error> {
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        let statement = format!(
            "SELECT CAST(ID AS SIGNED) FROM information_schema.PROCESSLIST \
             WHERE COMMAND <> 'Sleep' AND ID IN ({})",
            ids.join(", ")
        );
        // The numbers are the server's own.
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_all(connection).await
    }

    async fn try_lock_migrations(
        connection: &mut MySqlConnection,
    ) -> Result<Option<LockHolder>, sqlx::Error> {
        migrations::try_lock(connection).await
    }

    fn executor<'c>(connection: &'c mut MySqlConnection) -> impl Executor<'c, Database = Self> {
        connection
    }
}

/// Returns the number of open connections, and the seconds since the server started. MySQL and MariaDB keep these
/// numbers in different tables, and show them in the same way.
async fn status(connection: &mut MySqlConnection) -> Result<(usize, i64), sqlx::Error> {
    let shown = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Uptime')";
    let (mut used, mut uptime) = (0, 0);
    for row in connection.fetch_all(shown).await? {
        let number: i64 = row.try_get::<String, _>(1)?.parse().unwrap_or(0);
        match row.try_get::<String, _>(0)?.as_str() {
            "Uptime" => uptime = number,
            _ => used = usize::try_from(number).unwrap_or(0),
        }
    }
    Ok((used, uptime))
}

/// Whether one of the two settings forbids writes: a reader of Aurora may have the second alone. From MariaDB 12 on the
/// first is a word for how much is forbidden.
fn forbids_writes(settings: &str) -> bool {
    settings.split('|').any(|setting| !matches!(setting, "0" | "OFF"))
}

fn mentions_read_only(error: &sqlx::Error) -> bool {
    let text = error.to_string();
    text.contains("read-only") || text.contains("read_only")
}

fn number(error: &sqlx::Error) -> Option<u16> {
    let sqlx::Error::Database(database) = error else { return None };
    database.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_takes_no_writes_is_known_by_either_setting() {
        for (settings, read_only) in [
            ("0|0", false),
            ("OFF|0", false),
            ("1|0", true),
            ("0|1", true),
            ("ON|0", true),
            ("NO_LOCK_NO_ADMIN|0", true),
        ] {
            assert_eq!(forbids_writes(settings), read_only, "{settings}");
        }
    }
}
