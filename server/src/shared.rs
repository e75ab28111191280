//! What all of one server shares: the host, the configuration, the connections, and the App once it has started.

use std::sync::{Arc, OnceLock};

use anyhost_core::Host;
use anyhost_core::adapter::{Telemetry, Traces};

use crate::connections::Connections;
use crate::health::Readiness;
use crate::limit::ConcurrencyLimit;
use crate::{Config, MaxInFlight};

pub(crate) struct Shared<A> {
    pub(crate) host: Host,
    pub(crate) config: Config,
    pub(crate) readiness: Readiness,
    pub(crate) limit: ConcurrencyLimit,
    pub(crate) connections: Arc<Connections>,
    /// Where metrics go.
    pub(crate) telemetry: Option<Telemetry>,
    app: OnceLock<A>,
}

impl<A> Shared<A> {
    pub(crate) fn new(host: Host, config: Config, telemetry: Option<Telemetry>) -> Self {
        let counted = config.admin.is_some()
            || telemetry.as_ref().is_some_and(Telemetry::has_metrics)
            || config.max_in_flight == MaxInFlight::Auto;
        Self {
            host,
            limit: ConcurrencyLimit::new(config.max_in_flight),
            connections: Arc::new(Connections::new(config.max_connections, counted)),
            telemetry,
            config,
            readiness: Readiness::default(),
            app: OnceLock::new(),
        }
    }

    /// Where spans of requests go.
    pub(crate) fn traces(&self) -> Option<&Traces> {
        self.telemetry.as_ref().and_then(Telemetry::traces)
    }

    /// The App, once it has started.
    pub(crate) fn app(&self) -> Option<&A> {
        self.app.get()
    }

    pub(crate) fn started(&self, app: A) {
        let first = self.app.set(app).is_ok();
        debug_assert!(first, "an App is started once per server");
    }
}
