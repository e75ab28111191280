//! What is prepared before anything is started.

use std::sync::Arc;

use anyhost_core::Host;
use anyhost_core::adapter::{HostHandles as _, RequestCounts, Telemetry};

use crate::environment::Configuration;

/// Everything that can fail because of a wrong setting, prepared before anything is started.
#[derive(Clone, Debug)]
pub(crate) struct Preparation {
    pub(crate) host: Host,
    pub(crate) configuration: Configuration,
    pub(crate) telemetry: Option<Telemetry>,
    /// Where requests are counted, if metrics are sent.
    pub(crate) counts: Option<Arc<RequestCounts>>,
}

impl Preparation {
    /// Has requests counted and the counts sent, if metrics are asked for.
    pub(crate) fn new(
        host: Host,
        configuration: Configuration,
        telemetry: Option<Telemetry>,
    ) -> Self {
        let observing = telemetry.as_ref().filter(|telemetry| telemetry.has_metrics());
        let counts = observing.map(|telemetry| {
            let counts = Arc::new(RequestCounts::default());
            let (own, host) = (Arc::clone(&counts), host.clone());
            telemetry.observe(move || {
                let mut metrics = own.metrics();
                metrics.extend(host.databases().metrics());
                metrics
            });
            counts
        });
        Self { host, configuration, telemetry, counts }
    }
}
