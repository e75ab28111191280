//! The kinds of database servers: what differs between them, and the types that say it.

mod migration_lock;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod sealed;
mod server_info;
#[cfg(feature = "sqlite")]
mod sqlite;

use either::Either;
use sqlx::{Connection, Database};

use super::settings::Pooler;
pub(super) use migration_lock::LockHolder;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use migration_lock::number_of_sqlx;
pub use server_info::Limits;
pub(super) use server_info::{BackendId, ServerIdentity, ServerInfo};

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
pub trait Driver: sealed::DriverParts {}

impl<DB: sealed::DriverParts> Driver for DB {}

/// An item of a statement's results: the end of a statement, or a row.
pub(crate) type Step<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;

pub(crate) type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// The inputs of the connect options besides the URL.
#[cfg_attr(
    not(all(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(dead_code, reason = "each driver reads a part of it")
)]
#[derive(Debug)]
pub struct Tuning<'a> {
    pub(crate) pooler: Pooler,
    pub(crate) application: &'a str,
    /// Whether the platform demands TLS to its databases.
    pub(crate) demands_tls: bool,
    /// Whether the passwords come from a provider, whose tokens a server may want in clear text through TLS.
    pub(crate) has_provider: bool,
    /// The name under which a database in memory is shared by the connections of one host.
    pub(crate) memory: Option<String>,
}

/// The effect of an error on the connection that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorEffect {
    /// The statement failed; the connection is as good as before.
    Fine,
    /// The connection cannot be used again.
    Broken,
    /// Nor can any connection that is as old: the server shuts down.
    Outdated,
    /// The statement was prepared for another schema, and did nothing.
    Stale,
    /// A write that the transaction or the server does not allow.
    ReadOnly,
    /// Another client has prepared a statement on it: a pooler stands before the server, and no setting names it.
    Pooled,
}

/// Why connecting failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectErrorKind {
    /// The server cannot be reached, or does not answer yet.
    Unreachable,
    /// The server has no connection left.
    Full,
    /// The user or the password is wrong.
    Credentials,
    /// The server has no database of this name.
    Database,
    /// A pooler answers, and refuses what is sent when connecting.
    Pooled,
    /// The file cannot be opened.
    File,
}

/// The effect of an error that did not come from the server.
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
fn error_effect_without_server(error: &sqlx::Error) -> ErrorEffect {
    match error {
        // Nothing was sent, or everything that was sent has been answered.
        sqlx::Error::RowNotFound
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Encode(_)
        | sqlx::Error::InvalidSavePointStatement => ErrorEffect::Fine,
        _ => ErrorEffect::Broken,
    }
}

/// An IPv6 address without the brackets that it has in a URL; sqlx would look it up as a name with them.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn without_brackets(host: &str) -> Option<String> {
    Some(host.strip_prefix('[')?.strip_suffix(']')?.to_owned())
}
