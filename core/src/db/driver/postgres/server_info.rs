//! The queries that a new connection to PostgreSQL runs about itself and its server.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{Executor, PgConnection, Row};

use super::super::{BackendId, Limits, ServerIdentity, ServerInfo};
use super::code;
use crate::db::settings::Pooler;

/// How often the server checks that the client of a running statement is still connected, in milliseconds.
pub(super) const CHECK_INTERVAL: u64 = 100;

/// The query for servers from version 14 on: the limits on connections, whether it accepts writes, the idle timeout,
/// the connections in use and our identity. It also sets, if the server's system supports it, a check every 100 ms
/// whether the client of a running statement is still connected, which ends abandoned statements.
///
/// One message and one round trip. `SHOW` looks nothing up in the catalogs, which a server's new process has yet to
/// read: the same as one `SELECT` takes it three times as long. The statement that may fail is the last one.
macro_rules! show {
    ($($more:literal)?) => {
        concat!(
            "SHOW max_connections; SHOW superuser_reserved_connections; SHOW transaction_read_only; \
             SHOW idle_session_timeout; SHOW standard_conforming_strings; \
             SELECT concat_ws(' ', coalesce(sum(pg_stat_get_db_numbackends(oid)), 0), pg_backend_pid(), \
               max(CASE WHEN datname = current_database() THEN datconnlimit ELSE -1 END), \
               coalesce((SELECT CASE WHEN rolsuper THEN -1 ELSE rolconnlimit END FROM pg_roles \
                WHERE rolname = session_user), -1), \
               extract(epoch from pg_postmaster_start_time()), inet_server_addr(), inet_server_port()) \
             FROM pg_database; ",
            $($more,)?
            "SET client_connection_check_interval = 100"
        )
    };
}

const SHOW: &str = show!();

/// The same for servers from version 16 on, which have one more setting of reserved connections.
const SHOW_RESERVED: &str = show!("SHOW reserved_connections; ");

/// The query for an older server, for one that is no PostgreSQL, and for one that only claims a version: its settings
/// alone, each of which may be missing.
const SELECT: &str = "SELECT current_setting('max_connections', true), \
     (coalesce(current_setting('superuser_reserved_connections', true), '0')::int8 \
       + coalesce(current_setting('reserved_connections', true), '0')::int8)::text, \
     current_setting('transaction_read_only', true), \
     coalesce(current_setting('idle_session_timeout', true), '0'), \
     CASE WHEN current_setting('client_connection_check_interval', true) IS NOT NULL \
         AND version() ~* 'linux|bsd' \
       THEN set_config('client_connection_check_interval', '100', false) END, \
     current_setting('standard_conforming_strings', true)";

/// Asks a new connection about itself and its server.
pub(super) async fn ask(
    connection: &mut PgConnection,
    pooler: Pooler,
) -> Result<ServerInfo, sqlx::Error> {
    if pooler != Pooler::None {
        // Behind a pooler the limits are another server's, and a setting would stick to a stranger.
        let row = connection.fetch_one("SELECT current_setting('transaction_read_only')").await?;
        return Ok(ServerInfo { read_only: is_on(&text(&row, 0)?), ..ServerInfo::default() });
    }
    match connection.server_version_num() {
        Some(160_000..) => show(connection, SHOW_RESERVED).await,
        Some(140_000..) => show(connection, SHOW).await,
        _ => select(connection).await,
    }
}

async fn show(
    connection: &mut PgConnection,
    statements: &'static str,
) -> Result<ServerInfo, sqlx::Error> {
    let mut answers = Vec::with_capacity(7);
    let failed = {
        let mut rows = connection.fetch(statements);
        loop {
            match rows.try_next().await {
                Ok(Some(row)) => answers.push(text(&row, 0)?),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        }
    };
    let checks_client = match failed {
        None => true,
        // The server's system has no such check; all other answers have arrived by then.
        Some(error) if code(&error).as_deref() == Some("22023") => false,
        // A setting, function or column that this server does not have.
        Some(error) if is_unknown(&error) => return select(connection).await,
        Some(error) => return Err(error),
    };
    let mut answers = answers.iter().map(String::as_str);
    let mut next = || answers.next().unwrap_or_default();
    let (max, reserved, read_only, idle_timeout) = (next(), next(), next(), next());
    let (standard_strings, taken) = (next(), next());
    let mut taken = taken.splitn(5, ' ');
    let mut part = || taken.next().unwrap_or_default();
    let (used, process, database, account, server) = (part(), part(), part(), part(), part());
    Ok(ServerInfo {
        limits: Some(Limits {
            max_connections: number(max),
            reserved: number(reserved) + number(next()),
            account: account.parse().ok(),
            database: database.parse().ok(),
        }),
        used: Some(number(used)),
        read_only: is_on(read_only),
        backend: backend(process, server),
        survives_close: !checks_client,
        unusual_backslashes: !is_on(standard_strings),
        idle_timeout: duration(idle_timeout),
        interrupt: None,
    })
}

async fn select(connection: &mut PgConnection) -> Result<ServerInfo, sqlx::Error> {
    let row = match connection.fetch_one(SELECT).await {
        // It has no such function: a server that only speaks PostgreSQL's protocol.
        Err(error) if is_unknown(&error) => {
            return Ok(ServerInfo { survives_close: true, ..ServerInfo::default() });
        }
        row => row?,
    };
    let optional = |column: usize| row.try_get_unchecked::<Option<String>, _>(column);
    let max = optional(0)?.and_then(|max| max.parse().ok()).filter(|max| *max > 0);
    let (reserved, read_only) = (number(&text(&row, 1)?), optional(2)?);
    let (idle_timeout, checks_client) = (duration(&text(&row, 3)?), optional(4)?.is_some());
    Ok(ServerInfo {
        limits: max.map(|max_connections| Limits {
            max_connections,
            reserved,
            account: None,
            database: None,
        }),
        read_only: read_only.is_some_and(|read_only| is_on(&read_only)),
        survives_close: !checks_client,
        unusual_backslashes: optional(5)?.is_some_and(|standard| !is_on(&standard)),
        idle_timeout,
        ..ServerInfo::default()
    })
}

/// Whether the server lacks what was asked for (a setting, a table, a column, a function), or does not let this
/// role ask.
fn is_unknown(error: &sqlx::Error) -> bool {
    let known = ["42704", "42P01", "42703", "42883", "42501", "0A000", "42601"];
    code(error).is_some_and(|code| known.contains(&&*code))
}

/// Returns the process of the server, if the server says which one and when it was started.
fn backend(process: &str, server: &str) -> Option<BackendId> {
    let number = process.parse().ok()?;
    // The description: the server's start to the microsecond, and its address.
    (!server.is_empty()).then(|| BackendId { server: ServerIdentity::new(server, 0), number })
}

fn text(row: &PgRow, column: usize) -> Result<String, sqlx::Error> {
    row.try_get_unchecked(column)
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or(0)
}

fn is_on(text: &str) -> bool {
    text == "on"
}

/// Parses a setting in milliseconds as PostgreSQL shows it, in the largest unit that fits: `10min`. `None` for zero.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let millis = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    Some(Duration::from_millis(count.saturating_mul(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_shown() {
        let millis = |text| duration(text).map(|time| time.as_millis());
        assert_eq!(millis("0"), None);
        assert_eq!(millis("1500ms"), Some(1_500));
        assert_eq!(millis("90s"), Some(90_000));
        assert_eq!(millis("10min"), Some(600_000));
        assert_eq!(millis("1h"), Some(3_600_000));
        assert_eq!(millis("2d"), Some(172_800_000));
        assert_eq!(millis(""), None);
        assert_eq!(millis("soon"), None);
    }
}
