//! The errors of connections, distinguished by what the caller can do about them.
//!
//! Long because each variant has its text, its exit code and its response, which are read together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use sqlx::migrate::MigrateError;

use super::driver::{Driver, ErrorEffect};
use super::pool_state::PoolState;
use crate::{ConfigError, Exit};

/// Why there is no connection, or why there is none any more.
///
/// An App passes it on with `?`: what may be over soon, as the rotation of a password is, is a 503 with
/// `Retry-After`, everything else a 500. The driver's own error is kept: [`driver`](Self::driver) returns it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A setting is missing or wrong. Correct the variable it names.
    Setting(ConfigError),

    /// The planned connections do not fit what the server can take. The text has the arithmetic and the
    /// ways out.
    Plan(String),

    /// Too many callers wait for a connection already. Try again later, or shed load earlier.
    QueueFull {
        /// The pool at that moment.
        state: PoolState,
    },

    /// Every connection stayed in use until the time was up. Shorten what holds them, or plan for more.
    TimedOut {
        /// How long the caller waited.
        waited: Duration,
        /// The pool at that moment.
        state: PoolState,
    },

    /// The caller's deadline leaves no time to get a connection and use it.
    Deadline {
        /// The pool at that moment.
        state: PoolState,
    },

    /// The server cannot be reached. It may come back.
    Unreachable {
        /// The server and the variable that names it: `db.internal:5432/app (DATABASE_URL)`.
        database: String,
        /// The last error of connecting.
        cause: Arc<sqlx::Error>,
    },

    /// The server answers and takes no more connections. Other clients hold too many.
    Refused {
        /// The server and the variable that names it.
        database: String,
        /// The last error of the server.
        cause: Arc<sqlx::Error>,
    },

    /// The server does not accept the user or the password.
    Credentials {
        /// The server and the variable that names it.
        database: String,
        /// The error of the server.
        cause: Arc<sqlx::Error>,
    },

    /// The server has no database of this name. Create it, or correct the name.
    NoDatabase {
        /// The database and the variable that names it.
        database: String,
        /// The error of the server.
        cause: Arc<sqlx::Error>,
    },

    /// The database stayed locked by another connection or process until the caller's time was up (SQLite).
    Locked {
        /// How long the caller waited.
        waited: Duration,
        /// The last error of the database.
        cause: Arc<sqlx::Error>,
    },

    /// The connection broke while it was used. Whether the last statement took effect is unknown.
    Lost {
        /// The error by which it broke.
        cause: Arc<sqlx::Error>,
    },

    /// The transaction was over before it was to be committed: nothing that was not committed before will be.
    /// Begin it again if the work can be repeated.
    RolledBack {
        /// How it ended.
        reason: String,
    },

    /// The pool is closed: this process is about to stop.
    Closed,

    /// The schema is not the one this program needs. Run the `migrate` verb.
    Schema(String),

    /// A migration failed, or was interrupted earlier. The text says what is left of it and the way out.
    Migration {
        /// What failed and what to do.
        text: String,
        /// The migrator's error, with the database's error in it.
        cause: Arc<MigrateError>,
    },

    /// A statement failed for a reason of its own.
    Query(sqlx::Error),
}

impl Error {
    /// The error behind an `sqlx::Error`, if it is one of ours: statements run through `&Db` can only
    /// return sqlx's type.
    #[must_use]
    pub fn find(error: &sqlx::Error) -> Option<&Self> {
        crate::error::find(error)
    }

    /// The driver's own error behind this one, with the code and the text of the database: `None` if the
    /// database was not asked.
    #[must_use]
    pub fn driver(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Unreachable { cause, .. }
            | Self::Refused { cause, .. }
            | Self::Credentials { cause, .. }
            | Self::NoDatabase { cause, .. }
            | Self::Locked { cause, .. }
            | Self::Lost { cause } => Some(cause),
            Self::Query(error) => Some(error),
            Self::Setting(error) => std::error::Error::source(error)?.downcast_ref(),
            Self::Migration { cause, .. } => match &**cause {
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                    Some(error)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Converts an error of a running statement into the caller's.
    pub(super) fn from_session<DB: Driver>(error: sqlx::Error) -> Self {
        let error = match Self::from_sqlx(error) {
            Ok(own) => return own,
            Err(error) => error,
        };
        match DB::error_effect(&error) {
            ErrorEffect::Fine | ErrorEffect::Stale | ErrorEffect::ReadOnly => Self::Query(error),
            // A session has named the pooler already.
            ErrorEffect::Broken | ErrorEffect::Outdated | ErrorEffect::Pooled => {
                Self::Lost { cause: Arc::new(error) }
            }
        }
    }

    /// The error of a statement that met one which another client of a pooler has prepared. `prefix`: the prefix of
    /// the names of the database's settings.
    pub(super) fn pooled(error: sqlx::Error, prefix: &str) -> Self {
        let problem = format!(
            "the server's connection has statements of another client ({}): a pooler that hands out connections \
             for each transaction stands before it; set pgbouncer, pgbouncer-prepared or rds-proxy, whichever it is",
            DriverMessage(&error)
        );
        let problem = ConfigError::new(format!("{prefix}DATABASE_POOLER"), problem);
        Self::Setting(problem.with_source(Arc::new(error)))
    }

    /// Returns the error that [`into_sqlx`](Self::into_sqlx) has wrapped.
    fn from_sqlx(error: sqlx::Error) -> Result<Self, sqlx::Error> {
        let sqlx::Error::Io(error) = error else { return Err(error) };
        error.downcast::<Self>().map_err(sqlx::Error::Io)
    }

    /// Wraps the error in the only type that sqlx's `Executor` can return.
    pub(crate) fn into_sqlx(self) -> sqlx::Error {
        match self {
            Self::Query(error) => error,
            own => sqlx::Error::Io(std::io::Error::other(own)),
        }
    }

    pub(crate) fn exit(&self) -> Option<Exit> {
        match self {
            Self::Setting(_) | Self::Plan(_) => Some(Exit::Config),
            Self::Lost { .. } => Some(Exit::Unavailable),
            error => error.is_temporary().then_some(Exit::Unavailable),
        }
    }

    /// Whether its text has the driver's error in it.
    pub(crate) fn quotes_its_cause(&self) -> bool {
        !matches!(self, Self::Query(_))
    }

    pub(crate) fn to_response(&self) -> crate::Error {
        if self.is_temporary() || matches!(self, Self::Closed) {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return crate::Error::new(status, "the database is not available at the moment")
                .retry_after(Duration::from_secs(1));
        }
        crate::Error::from_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Whether there is no connection, for a reason that may be over soon.
    fn is_temporary(&self) -> bool {
        match self {
            Self::QueueFull { .. }
            | Self::TimedOut { .. }
            | Self::Deadline { .. }
            | Self::Unreachable { .. }
            | Self::Refused { .. }
            | Self::Credentials { .. }
            | Self::NoDatabase { .. }
            | Self::Locked { .. } => true,
            Self::Setting(_)
            | Self::Plan(_)
            | Self::Lost { .. }
            | Self::RolledBack { .. }
            | Self::Closed
            | Self::Schema(_)
            | Self::Migration { .. }
            | Self::Query(_) => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(error) => fmt::Display::fmt(error, f),
            Self::Plan(text) | Self::Schema(text) | Self::Migration { text, .. } => {
                f.write_str(text)
            }
            Self::QueueFull { state } => write!(f, "no connection: {state}; the queue is full"),
            Self::TimedOut { waited, state } => {
                write!(f, "no connection in {} ms: {state}", waited.as_millis())
            }
            Self::Deadline { state } => {
                write!(f, "no connection: the request's deadline is over ({state})")
            }
            Self::Unreachable { database, cause } => {
                write!(f, "the database cannot be reached: {database}: {}", DriverMessage(cause))
            }
            Self::Refused { database, cause } => {
                write!(
                    f,
                    "the database takes no more connections: {database}: {}",
                    DriverMessage(cause)
                )
            }
            Self::Credentials { database, cause } => {
                let message = DriverMessage(cause);
                write!(f, "the database does not accept these credentials: {database}: {message}")
            }
            Self::NoDatabase { database, cause } => write!(
                f,
                "there is no such database: {database}: {}; create it, or correct its name",
                DriverMessage(cause)
            ),
            Self::Locked { waited, cause } => {
                let message = DriverMessage(cause);
                write!(f, "the database stayed locked for {} ms: {message}", waited.as_millis())
            }
            Self::Lost { cause } => {
                write!(f, "the connection to the database was lost: {}", DriverMessage(cause))
            }
            Self::RolledBack { reason } => {
                write!(f, "the transaction was over before COMMIT: {reason}")
            }
            Self::Closed => f.write_str("the database connections of this process are closed"),
            Self::Query(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Migration { cause, .. } => Some(&**cause),
            // Transparent: its text is the error's own.
            Self::Setting(error) => error.source(),
            Self::Query(error) => error.source(),
            other => other.driver().map(|error| error as _),
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Setting(error)
    }
}

/// The message of a driver's error: the database's text and code, without the driver's own words around them.
pub(super) struct DriverMessage<'e>(pub(super) &'e sqlx::Error);

impl fmt::Display for DriverMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        match error {
            sqlx::Error::Io(error) => fmt::Display::fmt(error, f),
            sqlx::Error::Database(error) => {
                f.write_str(error.message())?;
                match error.code() {
                    // The codes of the SQL standard have five characters, SQLite's numbers fewer.
                    Some(code) if code.len() == 5 => write!(f, " (SQLSTATE {code})"),
                    Some(code) => write!(f, " (SQLite error {code})"),
                    None => Ok(()),
                }
            }
            error => fmt::Display::fmt(error, f),
        }
    }
}

/// The error as sqlx's traits return it: a statement's own error as it is, everything else as the source of an
/// `sqlx::Error::Io`, which [`Error::find`] looks up.
impl From<Error> for sqlx::Error {
    fn from(error: Error) -> Self {
        error.into_sqlx()
    }
}
