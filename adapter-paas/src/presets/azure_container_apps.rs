//! Azure Container Apps, <https://learn.microsoft.com/azure/container-apps/application-lifecycle-management>.

use std::time::Duration;

use crate::preset::{Preset, has};

/// SIGKILL follows SIGTERM after 30 seconds; the ingress ends a request after 240. It adds
/// the client to the right of `X-Forwarded-For` and overwrites `X-Forwarded-Proto`,
/// <https://learn.microsoft.com/azure/container-apps/ingress-overview#http-headers>.
pub(super) const PRESET: Preset = Preset {
    name: "azure_container_apps",
    is: |settings| has(settings, "CONTAINER_APP_NAME"),
    grace: Duration::from_secs(25),
    lame_duck: Duration::from_secs(5),
    request_timeout: Some(Duration::from_secs(238)),
    instance: &["CONTAINER_APP_REPLICA_NAME"],
    trusted: &["x-forwarded-for", "x-forwarded-proto"],
    ..Preset::BASE
};
