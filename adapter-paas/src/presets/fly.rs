//! Fly.io, <https://fly.io/docs/reference/configuration/#the-kill_timeout-option>.

use std::time::Duration;

use crate::preset::{Preset, has};

/// SIGINT, then five seconds by default (`kill_timeout`). The right end of `X-Forwarded-For` is the app's own
/// address; the client has a header of its own, <https://fly.io/docs/networking/request-headers/>.
pub(super) const PRESET: Preset = Preset {
    name: "fly",
    is: |settings| has(settings, "FLY_APP_NAME") && has(settings, "FLY_MACHINE_ID"),
    grace: Duration::from_secs(4),
    instance: &["FLY_MACHINE_ID"],
    trusted: &["fly-client-ip", "x-forwarded-proto"],
    ..Preset::BASE
};
