//! Kubernetes, <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination>.

use std::time::Duration;

use crate::preset::{Preset, has};

/// `terminationGracePeriodSeconds` is 30 by default and not visible in the pod. The pod and the endpoints are told about
/// the stop at the same time, so new connections arrive for some seconds after SIGTERM.
pub(super) const PRESET: Preset = Preset {
    name: "kubernetes",
    is: |settings| has(settings, "KUBERNETES_SERVICE_HOST"),
    grace: Duration::from_secs(25),
    lame_duck: Duration::from_secs(5),
    instance: &["POD_NAME", "HOSTNAME"],
    ..Preset::BASE
};
