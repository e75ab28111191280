//! Why a connection cannot be opened, and the error that a caller gets.

use std::fmt;
use std::sync::Arc;

use super::fault;
use crate::ConfigError;
use crate::db::driver::{ConnectErrorKind, Driver};
use crate::db::error::{DriverMessage, Error};
use crate::db::settings::{DatabaseUrl, Pooler};

/// Why connecting fails.
#[derive(Clone, Debug)]
pub(in crate::db) struct ConnectFailure {
    pub(super) kind: ConnectErrorKind,
    cause: Arc<sqlx::Error>,
    url: Arc<DatabaseUrl>,
    /// The setting that has to change, if one is the cause.
    fault: Option<ConfigError>,
}

impl ConnectFailure {
    pub(in crate::db) fn classify<DB: Driver>(
        cause: sqlx::Error,
        url: &Arc<DatabaseUrl>,
        pooler: Pooler,
    ) -> Self {
        let failure = Self::new(DB::connect_error_kind(&cause), cause, url);
        let fault = fault::setting_to_change(failure.kind, &failure.cause, url, pooler);
        let fault = fault.map(|fault| {
            let cause: Arc<sqlx::Error> = Arc::clone(&failure.cause);
            fault.with_source(cause)
        });
        Self { fault, ..failure }
    }

    pub(in crate::db) fn new(
        kind: ConnectErrorKind,
        cause: sqlx::Error,
        url: &Arc<DatabaseUrl>,
    ) -> Self {
        Self { kind, cause: Arc::new(cause), url: Arc::clone(url), fault: None }
    }

    /// A failure without an answer of the server.
    pub(in crate::db) fn unreachable(error: std::io::Error, url: &Arc<DatabaseUrl>) -> Self {
        Self::new(ConnectErrorKind::Unreachable, sqlx::Error::Io(error), url)
    }

    pub(in crate::db) fn into_error(self) -> Error {
        let Self { kind, cause, url, fault } = self;
        if let Some(fault) = fault {
            return Error::Setting(fault);
        }
        let database = url.location();
        match kind {
            ConnectErrorKind::Unreachable | ConnectErrorKind::Pooled | ConnectErrorKind::File => {
                Error::Unreachable { database, cause }
            }
            ConnectErrorKind::Full => Error::Refused { database, cause },
            ConnectErrorKind::Credentials => Error::Credentials { database, cause },
            ConnectErrorKind::Database => Error::NoDatabase { database, cause },
        }
    }

    /// Whether another attempt is useless until a setting or the server is changed.
    pub(in crate::db) fn is_final(&self) -> bool {
        if self.fault.is_some() {
            return true;
        }
        match self.kind {
            ConnectErrorKind::Credentials
            | ConnectErrorKind::Database
            | ConnectErrorKind::Pooled
            | ConnectErrorKind::File => true,
            ConnectErrorKind::Unreachable | ConnectErrorKind::Full => false,
        }
    }

    /// Whether the server, or a pooler before it, has answered with this failure: it can be reached.
    pub(in crate::db) fn is_from_server(&self) -> bool {
        match self.kind {
            ConnectErrorKind::Full
            | ConnectErrorKind::Credentials
            | ConnectErrorKind::Database
            | ConnectErrorKind::Pooled => true,
            ConnectErrorKind::Unreachable | ConnectErrorKind::File => false,
        }
    }
}

impl From<ConnectFailure> for Error {
    fn from(failure: ConnectFailure) -> Self {
        failure.into_error()
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url.location(), DriverMessage(&self.cause))
    }
}
