//! What differs between the kinds of database servers, and nothing else.
//!
//! Long because one trait names everything that differs, with the rule for each.

mod admission;
mod migration_lock;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::time::Duration;

use either::Either;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::database::HasStatementCache;
use sqlx::{ConnectOptions, Connection, Database, Execute, SqlStr};
use sqlx_core::describe::Describe;
use sqlx_core::migrate::Migrate;

use super::settings::{DatabaseUrl, Kind, Pooler};
use super::statement::Effect;
use crate::ConfigError;
pub use admission::Limits;
pub(super) use admission::{Admission, BackendId, Interrupt, ServerIdentity};
pub(super) use migration_lock::LockHolder;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use migration_lock::number_of_sqlx;

/// A kind of database whose connections [`Db`](super::Db) holds: `sqlx::Postgres`, `sqlx::MySql` or
/// `sqlx::Sqlite`, each behind the feature of its name.
///
/// Sealed: the strategy depends on knowing a server's errors and limits.
#[diagnostic::on_unimplemented(
    message = "`Db` has no driver for `{Self}`",
    label = "the feature of this driver is not switched on",
    note = "switch on the feature `postgres`, `mysql` or `sqlite` of the crate `anyhost` (or `anyhost-core`)",
    note = "the crate `sqlx` must be of the version that anyhost uses: `cargo tree -i sqlx-core` shows two otherwise"
)]
pub trait Driver: Database<Connection: Migrate> + HasStatementCache + sealed::Sealed {
    /// The kind of database.
    #[doc(hidden)]
    const KIND: Kind;

    /// Its name in OpenTelemetry's conventions.
    #[doc(hidden)]
    const SYSTEM: &'static str;

    /// The connect options for a URL, for connections that this plan uses through this pooler.
    #[doc(hidden)]
    fn options(url: &DatabaseUrl, tuning: &Tuning<'_>) -> Result<Options<Self>, ConfigError>
    where
        Self: Sized;

    /// The same options with another password.
    #[doc(hidden)]
    fn with_password(options: &Options<Self>, password: &str) -> Options<Self>
    where
        Self: Sized;

    /// The host and port that a connection goes to, where an address may stand in for the host: not for a
    /// socket of this machine, nor where the server's certificate has to be one for its name.
    #[doc(hidden)]
    fn endpoint(_options: &Options<Self>) -> Option<(&str, u16)>
    where
        Self: Sized,
    {
        None
    }

    /// The same options with this host.
    #[doc(hidden)]
    fn with_host(options: &Options<Self>, host: &str) -> Options<Self>
    where
        Self: Sized;

    /// The options to try next after this refusal, where the TLS mode has a second way.
    #[doc(hidden)]
    fn second_way(_options: &Options<Self>, _refused: &sqlx::Error) -> Option<Options<Self>>
    where
        Self: Sized,
    {
        None
    }

    /// What a connection says of itself and its server right after it was opened.
    #[doc(hidden)]
    fn admit(
        connection: &mut Self::Connection,
        pooler: Pooler,
    ) -> BoxFuture<'_, Result<Admission, sqlx::Error>>;

    /// What a text of one statement or several does to its session.
    #[doc(hidden)]
    fn effect(text: &str) -> Effect;

    /// The same arguments, where a statement may have to be run a second time.
    #[doc(hidden)]
    fn copy(_arguments: &Self::Arguments) -> Option<Self::Arguments> {
        None
    }

    /// Whether the server itself refuses every statement of a transaction after one has failed.
    #[doc(hidden)]
    const REFUSES_AFTER_ERROR: bool = false;

    /// Whether the transaction in which this error of a statement was met may be over.
    #[doc(hidden)]
    fn may_end_transaction(_error: &sqlx::Error) -> bool {
        true
    }

    /// Whether the transaction that was begun on a connection is still open there. An error where it is, and can
    /// only be rolled back.
    #[doc(hidden)]
    fn is_in_transaction(
        connection: &mut Self::Connection,
    ) -> BoxFuture<'_, Result<bool, sqlx::Error>>;

    /// Has the driver forget the statements and types that it remembers of a connection.
    #[doc(hidden)]
    fn forget_statements(
        connection: &mut Self::Connection,
    ) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        Box::pin(connection.clear_cached_statements())
    }

    /// What an error of a running connection means for it and for its siblings.
    #[doc(hidden)]
    fn verdict(error: &sqlx::Error) -> Verdict;

    /// Whether the server takes no writes on a connection.
    #[doc(hidden)]
    fn is_read_only(
        _connection: &mut Self::Connection,
    ) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// What a failure to connect means.
    #[doc(hidden)]
    fn refusal(error: &sqlx::Error) -> Refusal;

    /// How long the server takes at most to notice that a connection was closed on which it is at work; zero
    /// where there is no server.
    #[doc(hidden)]
    const NOTICES: Duration;

    /// The statement that ends what another connection is doing, by that connection's id.
    #[doc(hidden)]
    fn cancel(_id: i64) -> Option<String> {
        None
    }

    /// Which of these connections the server is at work for, by its ids: all of them where nothing can get lost on
    /// the way.
    #[doc(hidden)]
    fn at_work<'c>(
        _connection: &'c mut Self::Connection,
        ids: &'c [i64],
    ) -> BoxFuture<'c, Result<Vec<i64>, sqlx::Error>> {
        Box::pin(std::future::ready(Ok(ids.to_vec())))
    }

    /// Prepares a connection for migrations, whose statements wait so long for locks.
    #[doc(hidden)]
    fn before_migrations(
        _connection: &mut Self::Connection,
        _patience: Duration,
    ) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Tries to take the lock that lets one process at a time migrate, for as long as the connection is open, without
    /// waiting. `None`: it is taken; otherwise who has it.
    #[doc(hidden)]
    fn try_lock_migrations(
        _connection: &mut Self::Connection,
    ) -> BoxFuture<'_, Result<Option<LockHolder>, sqlx::Error>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// The indexes that the server does not use because building them was interrupted, and that no session is
    /// building now: name, and name with schema.
    #[doc(hidden)]
    fn invalid_indexes(
        _connection: &mut Self::Connection,
    ) -> BoxFuture<'_, Result<Vec<(String, String)>, sqlx::Error>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// The statement that begins a transaction, where it is not the standard one.
    #[doc(hidden)]
    const BEGIN: Option<&'static str> = None;

    /// The statement that begins a transaction which the server ends by itself once so much time has passed,
    /// where it can: its client may have been frozen in the middle of it.
    #[doc(hidden)]
    fn begin_within(_left: Duration) -> Option<String> {
        None
    }

    #[doc(hidden)]
    fn fetch_many<'e, 'q: 'e, E>(
        connection: &'e mut Self::Connection,
        query: E,
    ) -> BoxStream<'e, Result<Step<Self>, sqlx::Error>>
    where
        E: 'q + Execute<'q, Self>;

    #[doc(hidden)]
    fn fetch_optional<'e, 'q: 'e, E>(
        connection: &'e mut Self::Connection,
        query: E,
    ) -> BoxFuture<'e, Result<Option<Self::Row>, sqlx::Error>>
    where
        E: 'q + Execute<'q, Self>;

    #[doc(hidden)]
    fn prepare_with<'e>(
        connection: &'e mut Self::Connection,
        sql: SqlStr,
        parameters: &'e [Self::TypeInfo],
    ) -> BoxFuture<'e, Result<Self::Statement, sqlx::Error>>;

    #[doc(hidden)]
    fn describe(
        connection: &mut Self::Connection,
        sql: SqlStr,
    ) -> BoxFuture<'_, Result<Describe<Self>, sqlx::Error>>
    where
        Self: Sized;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// A step of running a statement: a statement's end, or a row.
pub(crate) type Step<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;

pub(crate) type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// What shapes the connect options besides the URL.
#[cfg_attr(
    not(all(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(dead_code, reason = "each driver reads a part of it")
)]
#[derive(Debug)]
pub struct Tuning<'a> {
    pub(crate) pooler: Pooler,
    pub(crate) application: &'a str,
    /// Whether the platform's databases are only to be talked to through TLS.
    pub(crate) demands_tls: bool,
    /// Whether the passwords come from a provider, whose tokens a server may want in clear text through TLS.
    pub(crate) has_provider: bool,
    /// The name under which a database in memory is shared by the connections of one host.
    pub(crate) memory: Option<String>,
}

/// What an error means for the connection it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The statement failed; the connection is as good as before.
    Fine,
    /// The connection cannot be used again.
    Broken,
    /// No connection like it can: the server goes away.
    Outdated,
    /// The statement was prepared for another schema, and did nothing.
    Stale,
    /// A write where none is allowed: by the transaction or by the server.
    ReadOnly,
    /// A statement of somebody else's was met on it: a pooler stands before the server that was not told of.
    Pooled,
}

/// Why connecting failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The server cannot be reached, or does not answer yet.
    Unreachable,
    /// The server has no connection left.
    Full,
    /// The user or the password is wrong.
    Credentials,
    /// The server has no database of this name.
    Database,
    /// A pooler answers, and refuses what was sent when connecting.
    Pooled,
    /// The file cannot be opened.
    File,
}

/// The four ways of running a statement, which every driver has under the same names.
macro_rules! run_statements {
    () => {
        fn fetch_many<'e, 'q: 'e, E>(
            connection: &'e mut Self::Connection,
            query: E,
        ) -> BoxStream<'e, Result<Step<Self>, sqlx::Error>>
        where
            E: 'q + Execute<'q, Self>,
        {
            sqlx::Executor::fetch_many(connection, query)
        }

        fn fetch_optional<'e, 'q: 'e, E>(
            connection: &'e mut Self::Connection,
            query: E,
        ) -> BoxFuture<'e, Result<Option<Self::Row>, sqlx::Error>>
        where
            E: 'q + Execute<'q, Self>,
        {
            sqlx::Executor::fetch_optional(connection, query)
        }

        fn prepare_with<'e>(
            connection: &'e mut Self::Connection,
            sql: SqlStr,
            parameters: &'e [Self::TypeInfo],
        ) -> BoxFuture<'e, Result<Self::Statement, sqlx::Error>> {
            sqlx::Executor::prepare_with(connection, sql, parameters)
        }

        fn describe(
            connection: &mut Self::Connection,
            sql: SqlStr,
        ) -> BoxFuture<'_, Result<Describe<Self>, sqlx::Error>> {
            sqlx::Executor::describe(connection, sql)
        }
    };
}
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
use run_statements;

/// The verdict where the error did not come from the server.
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
fn verdict_without_server(error: &sqlx::Error) -> Verdict {
    match error {
        // Nothing was sent, or everything that was sent has been answered.
        sqlx::Error::RowNotFound
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Encode(_)
        | sqlx::Error::InvalidSavePointStatement => Verdict::Fine,
        _ => Verdict::Broken,
    }
}

/// The connect options of a driver that reads URLs, with the log level that suits a service: its own
/// statements are not news.
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
fn quiet<O: ConnectOptions>(options: O) -> O {
    options.disable_statement_logging()
}

/// An IPv6 address without the brackets that it has in a URL; sqlx would look it up as a name with them.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn without_brackets(host: &str) -> Option<String> {
    Some(host.strip_prefix('[')?.strip_suffix(']')?.to_owned())
}
