//! What a new connection to PostgreSQL says of itself and its server.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{Executor, PgConnection, Row};

use super::super::{Admission, Limits};
use super::code;
use crate::db::settings::Pooler;

/// How often the server looks whether the client whose statement runs is still there, in milliseconds.
pub(super) const LOOKS: u64 = 100;

/// What is asked of every server from 14 on: what it takes, whether it takes writes, how long it keeps who does
/// nothing, how much of it is taken and who we are; and, where its system knows how, that it looks every 100 ms
/// whether a client whose statement runs is still there, so that what an abandoned request left behind ends.
///
/// One message and one round trip. `SHOW` looks nothing up in the catalogs, which a server's new process has yet to
/// read: the same as one `SELECT` takes it three times as long. What may fail stands last.
macro_rules! show {
    ($($more:literal)?) => {
        concat!(
            "SHOW max_connections; SHOW superuser_reserved_connections; SHOW transaction_read_only; \
             SHOW idle_session_timeout; \
             SELECT concat(sum(pg_stat_get_db_numbackends(oid)), ' ', pg_backend_pid()) FROM pg_database; ",
            $($more,)?
            "SET client_connection_check_interval = 100"
        )
    };
}

const SHOW: &str = show!();

/// The same from 16 on, where more can be reserved.
const SHOW_RESERVED: &str = show!("SHOW reserved_connections; ");

/// The same for what is older, or only says that it is as new: no setting need be there.
const SELECT: &str = "SELECT current_setting('max_connections'), \
     (current_setting('superuser_reserved_connections')::int8 \
       + coalesce(current_setting('reserved_connections', true), '0')::int8)::text, \
     current_setting('transaction_read_only'), \
     coalesce(current_setting('idle_session_timeout', true), '0'), \
     (SELECT sum(numbackends) FROM pg_stat_database)::text, \
     CASE WHEN current_setting('client_connection_check_interval', true) IS NOT NULL \
         AND version() ~* 'linux|bsd' \
       THEN set_config('client_connection_check_interval', '100', false) END, \
     pg_backend_pid()::text";

/// Asks it.
pub(super) async fn ask(
    connection: &mut PgConnection,
    pooler: Pooler,
) -> Result<Admission, sqlx::Error> {
    if pooler != Pooler::None {
        // Behind a pooler the limits are another server's, and a setting would stick to a stranger.
        let row = connection.fetch_one("SELECT current_setting('transaction_read_only')").await?;
        return Ok(Admission { read_only: is_on(&text(&row, 0)?), ..Admission::default() });
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
) -> Result<Admission, sqlx::Error> {
    let mut said = Vec::with_capacity(6);
    let failed = {
        let mut rows = connection.fetch(statements);
        loop {
            match rows.try_next().await {
                Ok(Some(row)) => said.push(text(&row, 0)?),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        }
    };
    let looks = match failed {
        None => true,
        // A system without a way to look: everything else has been said by then.
        Some(error) if code(&error).as_deref() == Some("22023") => false,
        // A setting that this server does not have.
        Some(error) if code(&error).as_deref() == Some("42704") => return select(connection).await,
        Some(error) => return Err(error),
    };
    let mut said = said.iter().map(String::as_str);
    let mut next = || said.next().unwrap_or_default();
    let (max, reserved, read_only, forgotten, taken) = (next(), next(), next(), next(), next());
    let (used, id) = taken.split_once(' ').unwrap_or_default();
    Ok(Admission {
        limits: Some(Limits {
            max_connections: number(max),
            reserved: number(reserved) + number(next()),
        }),
        used: Some(number(used)),
        read_only: is_on(read_only),
        id: id.parse().ok(),
        outlived: !looks,
        forgotten: duration(forgotten),
        interrupt: None,
    })
}

async fn select(connection: &mut PgConnection) -> Result<Admission, sqlx::Error> {
    let row = connection.fetch_one(SELECT).await?;
    let looks = row.try_get_unchecked::<Option<String>, _>(5)?.is_some();
    Ok(Admission {
        limits: Some(Limits {
            max_connections: number(&text(&row, 0)?),
            reserved: number(&text(&row, 1)?),
        }),
        used: Some(number(&text(&row, 4)?)),
        read_only: is_on(&text(&row, 2)?),
        id: text(&row, 6)?.parse().ok(),
        outlived: !looks,
        forgotten: duration(&text(&row, 3)?),
        interrupt: None,
    })
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

/// A time as PostgreSQL shows a setting that is counted in milliseconds, in the largest unit that it is a whole
/// number of: `10min`; `None` for none at all.
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
