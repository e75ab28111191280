//! Railway, <https://docs.railway.com/reference/deployments>.

use std::time::Duration;

use crate::preset::{Preset, has};

/// SIGKILL follows SIGTERM at once unless `RAILWAY_DEPLOYMENT_DRAINING_SECONDS` is set. Without it the
/// default grace is used, to finish as many requests as possible. Headers:
/// <https://docs.railway.com/reference/public-networking>.
pub(super) const PRESET: Preset = Preset {
    name: "railway",
    is: |settings| has(settings, "RAILWAY_ENVIRONMENT_ID") || has(settings, "RAILWAY_SERVICE_ID"),
    grace: Duration::from_secs(25),
    grace_variable: Some("RAILWAY_DEPLOYMENT_DRAINING_SECONDS"),
    instance: &["RAILWAY_REPLICA_ID"],
    trusted: &["x-real-ip", "x-forwarded-proto", "x-railway-request-id"],
    ..Preset::BASE
};
