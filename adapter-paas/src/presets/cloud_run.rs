//! Cloud Run, <https://cloud.google.com/run/docs/container-contract>.

use std::time::Duration;

use anyhost_core::adapter::LogFormat;

use crate::preset::{Preset, has};

/// SIGKILL follows SIGTERM after 10 seconds; no setting changes that. The front end appends the client to
/// `X-Forwarded-For`; behind a load balancer of Google's, it appends the balancer.
pub(super) const PRESET: Preset = Preset {
    name: "cloud_run",
    is: |settings| {
        ["K_SERVICE", "CLOUD_RUN_JOB", "CLOUD_RUN_WORKER_POOL"]
            .iter()
            .any(|variable| has(settings, variable))
    },
    grace: Duration::from_secs(8),
    // No variable tells instances apart; a random id does.
    instance: &[],
    trusted: &["x-forwarded-for", "x-forwarded-proto"],
    logs: LogFormat::Google,
    ..Preset::BASE
};
