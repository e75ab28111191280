//! Knative, <https://github.com/knative/specs/blob/main/specs/serving/runtime-contract.md>.

use std::time::Duration;

use crate::preset::{Preset, has};

/// The specification says "a defined grace period" and no length: Cloud Run's is assumed. The queue proxy
/// in front of the process handles connections that arrive late.
pub(super) const PRESET: Preset = Preset {
    name: "knative",
    is: |settings| has(settings, "K_SERVICE") && has(settings, "KUBERNETES_SERVICE_HOST"),
    grace: Duration::from_secs(8),
    instance: &["POD_NAME", "HOSTNAME"],
    ..Preset::BASE
};
