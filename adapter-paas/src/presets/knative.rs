//! Knative, <https://github.com/knative/specs/blob/main/specs/serving/runtime-contract.md>.

use std::time::Duration;

use crate::preset::{Preset, has};

/// "A defined grace period" after SIGTERM, of unknown length: taken as that of Cloud Run. The queue proxy
/// before the process takes care of late connections.
pub(super) const PRESET: Preset = Preset {
    name: "knative",
    is: |settings| has(settings, "K_SERVICE") && has(settings, "KUBERNETES_SERVICE_HOST"),
    grace: Duration::from_secs(8),
    instance: &["POD_NAME", "HOSTNAME"],
    ..Preset::BASE
};
