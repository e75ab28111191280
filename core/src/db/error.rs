//! What can go wrong with connections, by what the caller can do about it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::connect::ConnectFailure;
use super::driver::{Driver, Verdict};
use super::pool::{AcquireError, PoolState};
use crate::{ConfigError, Exit};

/// Why there is no connection, or why there is none any more.
///
/// An App passes it on with `?`: what may be over soon, as the rotation of a password is, is a 503 with
/// `Retry-After`, everything else a 500.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is missing or wrong. Correct the variable it names.
    #[error(transparent)]
    Setting(#[from] ConfigError),

    /// The planned connections do not fit what the server can take. The text has the arithmetic and the
    /// ways out.
    #[error("{0}")]
    Plan(String),

    /// Too many callers wait for a connection already. Try again later, or shed load earlier.
    #[error("no connection: {state}; the queue is full")]
    QueueFull {
        /// The pool at that moment.
        state: PoolState,
    },

    /// Every connection stayed in use until the time was up. Shorten what holds them, or plan for more.
    #[error("no connection in {} ms: {state}", waited.as_millis())]
    TimedOut {
        /// How long the caller waited.
        waited: Duration,
        /// The pool at that moment.
        state: PoolState,
    },

    /// The caller's deadline leaves no time to get a connection and use it.
    #[error("no connection: the request's deadline is over ({state})")]
    Deadline {
        /// The pool at that moment.
        state: PoolState,
    },

    /// The server cannot be reached. It may come back.
    #[error("the database cannot be reached: {}", Told(cause))]
    Unreachable {
        /// What connecting said last.
        cause: Arc<sqlx::Error>,
    },

    /// The server answers and takes no more connections. Somebody holds too many.
    #[error("the database takes no more connections: {}", Told(cause))]
    Refused {
        /// What the server said last.
        cause: Arc<sqlx::Error>,
    },

    /// The server does not accept the user, the password or the database.
    #[error("the database does not accept these credentials: {}", Told(cause))]
    Credentials {
        /// What the server said.
        cause: Arc<sqlx::Error>,
    },

    /// The connection broke while it was used. Whether the last statement took effect is unknown.
    #[error("the connection to the database was lost: {cause}")]
    Lost {
        /// How it broke.
        cause: Arc<sqlx::Error>,
    },

    /// The transaction was over before it was to be committed: nothing that was not committed before will be.
    /// Begin it again, where trying again makes sense.
    #[error("the transaction was rolled back before COMMIT: {reason}")]
    RolledBack {
        /// What ended it.
        reason: String,
    },

    /// A pool that the App told its host of does not answer.
    #[error("{name} does not answer: {cause}")]
    Adopted {
        /// What the App calls it.
        name: String,
        /// What it said.
        cause: Arc<dyn std::error::Error + Send + Sync>,
    },

    /// The pool is closed: this process is about to stop.
    #[error("the database connections of this process are closed")]
    Closed,

    /// The schema is not the one this program needs. Run the `migrate` verb.
    #[error("{0}")]
    Schema(String),

    /// A statement failed for a reason of its own.
    #[error(transparent)]
    Query(sqlx::Error),
}

impl Error {
    /// The error behind an `sqlx::Error`, where it is one of ours: statements run through `&Db` can only
    /// return sqlx's type.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Option<&Self> {
        crate::error::find(error)
    }

    /// What an error of a running statement means for the caller.
    pub(super) fn from_session<DB: Driver>(error: sqlx::Error) -> Self {
        let error = match error {
            sqlx::Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<Self>()) => {
                let inner = error.into_inner().and_then(|inner| inner.downcast::<Self>().ok());
                return *inner.expect("it is one of ours");
            }
            error => error,
        };
        match DB::verdict(&error) {
            Verdict::Fine | Verdict::Stale | Verdict::ReadOnly => Self::Query(error),
            Verdict::Broken | Verdict::Outdated => Self::Lost { cause: Arc::new(error) },
            Verdict::Pooled => Self::pooled(&error),
        }
    }

    /// The error where a pooler stands before the server that the settings do not speak of, or of another
    /// kind than they say.
    pub(super) fn pooled(error: &sqlx::Error) -> Self {
        let said = match error {
            sqlx::Error::Database(database) => database.message(),
            _ => "its protocol was not followed",
        };
        Self::Setting(ConfigError::new(
            "DATABASE_POOLER",
            format!(
                "does not name the pooler that stands before the database ({said}); \
                 set pgbouncer, pgbouncer-prepared or rds-proxy"
            ),
        ))
    }

    /// The error in the only shape that sqlx's `Executor` can return.
    pub(crate) fn into_sqlx(self) -> sqlx::Error {
        match self {
            Self::Query(error) => error,
            own => sqlx::Error::Io(std::io::Error::other(own)),
        }
    }

    pub(crate) fn exit(&self) -> Option<Exit> {
        match self {
            Self::Setting(_) | Self::Plan(_) => Some(Exit::Config),
            Self::QueueFull { .. }
            | Self::TimedOut { .. }
            | Self::Deadline { .. }
            | Self::Unreachable { .. }
            | Self::Refused { .. }
            | Self::Credentials { .. }
            | Self::Lost { .. } => Some(Exit::Unavailable),
            Self::RolledBack { .. }
            | Self::Adopted { .. }
            | Self::Closed
            | Self::Schema(_)
            | Self::Query(_) => None,
        }
    }

    pub(crate) fn to_response(&self) -> crate::Error {
        match self {
            Self::QueueFull { .. }
            | Self::TimedOut { .. }
            | Self::Deadline { .. }
            | Self::Unreachable { .. }
            | Self::Refused { .. }
            | Self::Credentials { .. }
            | Self::Closed => crate::Error::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the database is not available at the moment",
            )
            .retry_after(Duration::from_secs(1)),
            Self::Setting(_)
            | Self::Plan(_)
            | Self::Lost { .. }
            | Self::RolledBack { .. }
            | Self::Adopted { .. }
            | Self::Schema(_)
            | Self::Query(_) => crate::Error::bare(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// What the driver says, with the server's code where it was the server that said it.
pub(super) struct Told<'e>(pub(super) &'e sqlx::Error);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        match error {
            // The driver's own words before it say no more than the sentence that this ends.
            sqlx::Error::Io(error) => write!(f, "{error}")?,
            error => write!(f, "{error}")?,
        }
        match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
            Some(code) => write!(f, " (SQLSTATE {code})"),
            None => Ok(()),
        }
    }
}

impl From<AcquireError<ConnectFailure>> for Error {
    fn from(error: AcquireError<ConnectFailure>) -> Self {
        match error {
            AcquireError::Closed => Self::Closed,
            AcquireError::QueueFull(state) => Self::QueueFull { state },
            AcquireError::TimedOut { waited, state } => Self::TimedOut { waited, state },
            AcquireError::Deadline(state) => Self::Deadline { state },
            AcquireError::Connect(failure) => failure.into_error(),
        }
    }
}

/// The error as sqlx's traits return it: a statement's own error as it is, everything else as the source of an
/// `sqlx::Error::Io`, where [`Error::of`] finds it.
impl From<Error> for sqlx::Error {
    fn from(error: Error) -> Self {
        error.into_sqlx()
    }
}
