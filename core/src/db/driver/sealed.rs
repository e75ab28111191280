//! The differences between the kinds of database servers.

use std::time::Duration;

use sqlx::database::HasStatementCache;
use sqlx::{Connection, Database, Executor};
use sqlx_core::migrate::Migrate;

use super::{ConnectErrorKind, ErrorEffect, LockHolder, Options, ServerInfo, Tuning};
use crate::ConfigError;
use crate::db::settings::{DatabaseUrl, Kind, Pooler};

/// The operations and constants of a kind of database that the connection strategy needs.
pub trait DriverParts: Database<Connection: Migrate, Arguments: Clone> + HasStatementCache {
    /// The kind of database.
    const KIND: Kind;

    /// Its name in OpenTelemetry's conventions.
    const SYSTEM: &'static str;

    /// The connect options for a URL, for connections that this plan uses through this pooler.
    fn options(url: &DatabaseUrl, tuning: &Tuning<'_>) -> Result<Options<Self>, ConfigError>;

    /// The same options with another password.
    fn with_password(options: &Options<Self>, _password: &str) -> Options<Self> {
        options.clone()
    }

    /// The host and port that a connection goes to, if an address may replace the host: not for a socket of this
    /// machine, nor if the server's certificate is checked for its name.
    fn endpoint(_options: &Options<Self>) -> Option<(&str, u16)> {
        None
    }

    /// The same options with this host.
    fn with_host(options: &Options<Self>, _host: &str) -> Options<Self> {
        options.clone()
    }

    /// The options for a second attempt after this error, if the TLS mode allows one.
    fn second_attempt(_options: &Options<Self>, _refused: &sqlx::Error) -> Option<Options<Self>> {
        None
    }

    /// Asks a connection about itself and its server.
    fn server_info(
        connection: &mut Self::Connection,
        pooler: Pooler,
    ) -> impl Future<Output = Result<ServerInfo, sqlx::Error>> + Send;

    /// Whether the server itself refuses every statement of a transaction after one has failed.
    const REFUSES_AFTER_ERROR: bool = false;

    /// Whether this error of a statement may have ended the transaction around it.
    fn may_end_transaction(_error: &sqlx::Error) -> bool {
        true
    }

    /// Whether the transaction that was begun on a connection is still open there. Returns an error if it is open and
    /// can only be rolled back.
    fn is_in_transaction(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Has the driver forget the statements and types that it remembers of a connection.
    fn forget_statements(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        connection.clear_cached_statements()
    }

    /// Fails if the driver's own thread has died, which looks like a statement without rows.
    fn check_thread(
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        std::future::ready(Ok(()))
    }

    /// The effect of an error on its connection and on the pool's other connections.
    fn error_effect(error: &sqlx::Error) -> ErrorEffect;

    /// Classifies a failure to connect.
    fn connect_error_kind(error: &sqlx::Error) -> ConnectErrorKind;

    /// The longest time that the server takes to notice that a connection was closed while a statement runs; zero
    /// without a server.
    const NOTICES_CLOSE_WITHIN: Duration;

    /// The statement that ends what another connection is doing, by that connection's id.
    fn cancel(_id: i64) -> Option<String> {
        None
    }

    /// Which of these connections the server is at work for, by its ids; all of them if no reply can get lost on the
    /// way.
    fn at_work(
        _connection: &mut Self::Connection,
        ids: &[i64],
    ) -> impl Future<Output = Result<Vec<i64>, sqlx::Error>> + Send {
        std::future::ready(Ok(ids.to_vec()))
    }

    /// The statement that sets how many milliseconds the statements of migrations wait for locks.
    fn wait_for_locks(_millis: i32) -> Option<String> {
        None
    }

    /// Tries to take the lock that lets one process at a time migrate, for as long as the connection is open, without
    /// waiting. Returns `None` if it was taken, otherwise its holder.
    fn try_lock_migrations(
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Option<LockHolder>, sqlx::Error>> + Send {
        std::future::ready(Ok(None))
    }

    /// The indexes that the server does not use because building them was interrupted, and that no session is
    /// building now: name, and name with schema.
    fn invalid_indexes(
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Vec<(String, String)>, sqlx::Error>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// The statement that begins a transaction, if it is not the standard one.
    const BEGIN: Option<&'static str> = None;

    /// The statement that begins a transaction which the server ends by itself after this time,
    /// if it can: its client may have been frozen in the middle of it.
    fn begin_within(_left: Duration) -> Option<String> {
        None
    }

    /// The connection as an `Executor`: the connection of every kind of database is one, but no bound of `Database`
    /// says so.
    fn executor<'c>(connection: &'c mut Self::Connection) -> impl Executor<'c, Database = Self>;
}
