//! What keeps connections from being opened, and what a caller is told of it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::ConfigError;
use crate::db::driver::{Driver, Refusal};
use crate::db::error::{Error, Told};

use super::fault;
use super::site::Site;

/// Why connecting fails, since when.
#[derive(Clone, Debug)]
pub(in crate::db) struct Outage {
    pub(super) refusal: Refusal,
    cause: Arc<sqlx::Error>,
    pub(super) since: Instant,
    site: Arc<Site>,
    /// The setting that has to change, where one has.
    fault: Option<ConfigError>,
}

impl Outage {
    pub(in crate::db) fn of<DB: Driver>(cause: sqlx::Error, site: &Arc<Site>) -> Self {
        let outage = Self::new(DB::refusal(&cause), cause, site);
        let fault = fault::of(DB::KIND, outage.refusal, &outage.cause, site);
        let fault = fault.map(|fault| {
            let cause: Arc<sqlx::Error> = Arc::clone(&outage.cause);
            fault.with_source(cause)
        });
        Self { fault, ..outage }
    }

    pub(super) fn new(refusal: Refusal, cause: sqlx::Error, site: &Arc<Site>) -> Self {
        let (cause, site) = (Arc::new(cause), Arc::clone(site));
        Self { refusal, cause, since: Instant::now(), site, fault: None }
    }

    /// The same, which has lasted for longer.
    pub(super) fn that_began(self, since: Instant) -> Self {
        Self { since, ..self }
    }

    /// Whether trying again cannot help until a person has changed something.
    pub(super) fn is_final(&self) -> bool {
        if self.fault.is_some() {
            return true;
        }
        match self.refusal {
            Refusal::Credentials | Refusal::Database | Refusal::Pooled | Refusal::File => true,
            Refusal::Unreachable | Refusal::Full => false,
        }
    }

    pub(in crate::db) fn into_error(self) -> Error {
        let Self { refusal, cause, since: _, site, fault } = self;
        if let Some(fault) = fault {
            return Error::Setting(fault);
        }
        let database = site.to_string();
        match refusal {
            Refusal::Unreachable | Refusal::Pooled | Refusal::File => {
                Error::Unreachable { database, cause }
            }
            Refusal::Full => Error::Refused { database, cause },
            Refusal::Credentials => Error::Credentials { database, cause },
            Refusal::Database => Error::NoDatabase { database, cause },
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, cause, .. } = self;
        write!(f, "{site}: {}", Told(cause))
    }
}
