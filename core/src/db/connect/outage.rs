//! What keeps connections from being opened, and what a caller is told of it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::ConfigError;
use crate::db::driver::{Driver, Refusal};
use crate::db::error::{Error, Told};
use crate::db::settings::DatabaseUrl;
use crate::db::tls;

/// Why connecting fails, since when.
#[derive(Clone, Debug)]
pub(in crate::db) struct Outage {
    pub(super) refusal: Refusal,
    cause: Arc<sqlx::Error>,
    pub(super) since: Instant,
    /// What is wrong with TLS.
    tls: Option<String>,
}

impl Outage {
    pub(in crate::db) fn of<DB: Driver>(cause: sqlx::Error) -> Self {
        match tls::fault(DB::KIND, &cause) {
            Some(fault) => Self { tls: Some(fault), ..Self::new(Refusal::Tls, cause) },
            None => Self::new(DB::refusal(&cause), cause),
        }
    }

    pub(super) fn new(refusal: Refusal, cause: sqlx::Error) -> Self {
        Self { refusal, cause: Arc::new(cause), since: Instant::now(), tls: None }
    }

    /// The same, which has lasted for longer.
    pub(super) fn that_began(self, since: Instant) -> Self {
        Self { since, ..self }
    }

    /// Whether trying again is no use until somebody has changed something.
    pub(super) fn is_final(&self) -> bool {
        match self.refusal {
            Refusal::Credentials | Refusal::Pooled | Refusal::Tls | Refusal::File => true,
            Refusal::Unreachable | Refusal::Full => false,
        }
    }

    /// Whether the server itself, or what stands before it, said so: it is there.
    pub(in crate::db) fn is_from_server(&self) -> bool {
        match self.refusal {
            Refusal::Full | Refusal::Credentials | Refusal::Pooled => true,
            Refusal::Unreachable | Refusal::Tls | Refusal::File => false,
        }
    }

    /// The error where another variable than `DATABASE_URL` may name the server.
    pub(in crate::db) fn into_error_about(self, url: &DatabaseUrl) -> Error {
        match &self.tls {
            Some(fault) => url.wrong(fault.clone()).into(),
            None => self.into_error(),
        }
    }

    pub(in crate::db) fn into_error(self) -> Error {
        let Self { refusal, cause, since: _, tls } = self;
        if let Some(fault) = tls {
            return Error::Setting(ConfigError::new("DATABASE_URL", fault));
        }
        match refusal {
            Refusal::Unreachable | Refusal::Tls | Refusal::File => Error::Unreachable { cause },
            Refusal::Full => Error::Refused { cause },
            Refusal::Credentials => Error::Credentials { cause },
            Refusal::Pooled => Error::pooled(&cause),
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Told(&self.cause), f)
    }
}
