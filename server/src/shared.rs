//! What all connections of a server share: the host, the configuration, and the App once it has started.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhost_core::Host;
use anyhost_core::adapter::{Telemetry, Traces};

use crate::health::Readiness;
use crate::limit::Limit;
use crate::{Config, MaxInFlight};

pub(crate) struct Shared<A> {
    pub(crate) host: Host,
    pub(crate) config: Config,
    pub(crate) readiness: Readiness,
    pub(crate) limit: Limit,
    /// Where its numbers go.
    pub(crate) telemetry: Option<Telemetry>,
    app: OnceLock<A>,
    draining: AtomicBool,
}

impl<A> Shared<A> {
    pub(crate) fn new(host: Host, config: Config, telemetry: Option<Telemetry>) -> Self {
        Self {
            host,
            limit: Limit::new(config.max_in_flight),
            telemetry,
            config,
            readiness: Readiness::default(),
            app: OnceLock::new(),
            draining: AtomicBool::new(false),
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

    /// Whether counts of requests are read: by the metrics page, by a collector or for `MAX_IN_FLIGHT=auto`.
    pub(crate) fn counts(&self) -> bool {
        self.config.admin.is_some()
            || self.telemetry.as_ref().is_some_and(Telemetry::has_metrics)
            || self.config.max_in_flight == MaxInFlight::Auto
    }

    /// Whether the host said stop. The same as the phase of [`anyhost_core::Life`], without its lock: it
    /// is read for every response.
    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}
