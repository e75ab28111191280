//! What keeps connections from being opened, and what a caller is told of it.

use std::fmt;
use std::sync::Arc;

use super::Failure;
use crate::ConfigError;
use crate::db::driver::{Driver, Refusal};
use crate::db::error::{Error, Told};
use crate::db::settings::DatabaseUrl;
use crate::db::tls;

/// Why connecting fails.
#[derive(Clone, Debug)]
pub(in crate::db) struct ConnectFailure {
    pub(super) kind: Refusal,
    cause: Arc<sqlx::Error>,
    /// What is wrong with TLS.
    tls: Option<String>,
}

impl ConnectFailure {
    pub(in crate::db) fn of<DB: Driver>(cause: sqlx::Error) -> Self {
        match tls::fault(DB::KIND, &cause) {
            Some(fault) => Self { tls: Some(fault), ..Self::new(Refusal::Tls, cause) },
            None => Self::new(DB::refusal(&cause), cause),
        }
    }

    fn new(kind: Refusal, cause: sqlx::Error) -> Self {
        Self { kind, cause: Arc::new(cause), tls: None }
    }

    /// The failure to get any answer.
    pub(in crate::db) fn unreachable(error: std::io::Error) -> Self {
        Self::new(Refusal::Unreachable, sqlx::Error::Io(error))
    }

    /// The error where another variable than `DATABASE_URL` may name the server.
    pub(in crate::db) fn into_error_about(self, url: &DatabaseUrl) -> Error {
        match &self.tls {
            Some(fault) => url.wrong(fault.clone()).into(),
            None => self.into_error(),
        }
    }

    pub(in crate::db) fn into_error(self) -> Error {
        let Self { kind, cause, tls } = self;
        if let Some(fault) = tls {
            return Error::Setting(ConfigError::new("DATABASE_URL", fault));
        }
        match kind {
            Refusal::Unreachable | Refusal::Tls | Refusal::File => Error::Unreachable { cause },
            Refusal::Full => Error::Refused { cause },
            Refusal::Credentials => Error::Credentials { cause },
            Refusal::Pooled => Error::pooled(&cause),
        }
    }
}

impl Failure for ConnectFailure {
    fn is_final(&self) -> bool {
        match self.kind {
            Refusal::Credentials | Refusal::Pooled | Refusal::Tls | Refusal::File => true,
            Refusal::Unreachable | Refusal::Full => false,
        }
    }

    fn is_from_server(&self) -> bool {
        match self.kind {
            Refusal::Full | Refusal::Credentials | Refusal::Pooled => true,
            Refusal::Unreachable | Refusal::Tls | Refusal::File => false,
        }
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Told(&self.cause), f)
    }
}
