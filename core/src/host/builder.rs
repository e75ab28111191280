//! The builder by which an adapter, or a test, describes a host.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{Host, HostFacts, MaxBody, Resources};
#[cfg(feature = "db")]
use crate::db::Memory;
use crate::{ConfigError, Epoch, Lifecycle, Paradigm, Settings};

/// The description of a host before it is built.
#[derive(Debug)]
#[must_use]
pub struct HostBuilder {
    pub(super) paradigm: Paradigm,
    pub(super) platform: String,
    pub(super) resources: Option<Resources>,
    pub(super) instance: Option<String>,
    pub(super) grace: Duration,
    pub(super) concurrency: usize,
    pub(super) database_tls: bool,
    pub(super) settings: Settings,
    pub(super) in_force: Vec<(&'static str, String)>,
}

impl HostBuilder {
    /// Sets the settings. Defaults to none.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the values, defaults among them, that the host uses for settings of its own: `check` prints them.
    pub fn in_force(mut self, settings: Vec<(&'static str, String)>) -> Self {
        self.in_force = settings;
        self
    }

    /// Sets processors and memory. Defaults to what the cgroup and the machine allow.
    pub fn resources(mut self, resources: Resources) -> Self {
        self.resources = Some(resources);
        self
    }

    /// Sets the id of this process among its siblings. Defaults to a random one.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Sets the time a stop may take. Defaults to 25 seconds, which fits the 30 that most platforms give.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how many requests one process gets at once. Defaults to 1.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// Demands TLS to a PostgreSQL server whose URL says nothing of it: for platforms that hand out such URLs for
    /// servers which offer it. Defaults to TLS if the server offers it.
    pub fn demand_database_tls(mut self, demand: bool) -> Self {
        self.database_tls = demand;
        self
    }

    /// The host.
    ///
    /// # Errors
    /// [`ConfigError`] if `MAX_BODY` is not a size.
    pub fn build(self) -> Result<Host, ConfigError> {
        let Self {
            paradigm,
            platform,
            resources,
            instance,
            grace,
            concurrency,
            database_tls,
            settings,
            in_force,
        } = self;
        let max_body = MaxBody::from_settings(&settings)?;
        Ok(Host(Arc::new(HostFacts {
            paradigm,
            platform,
            resources: resources.map_or_else(OnceLock::new, OnceLock::from),
            instance: instance.unwrap_or_else(|| format!("{:08x}", fastrand::u32(..))),
            grace,
            concurrency,
            database_tls,
            max_body,
            settings,
            in_force,
            lifecycle: Lifecycle::default(),
            epoch: Epoch::default(),
            databases: Arc::default(),
            #[cfg(feature = "db")]
            memory: Memory::default(),
        })))
    }
}
