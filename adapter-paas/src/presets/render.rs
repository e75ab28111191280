//! Render, <https://render.com/docs/deploys#zero-downtime-deploys>.

use std::time::Duration;

use crate::preset::Preset;

/// SIGTERM comes 60 seconds after the traffic has moved, SIGKILL 30 seconds later.
pub(super) const PRESET: Preset = Preset {
    name: "render",
    is: |settings| settings.text("RENDER") == Some("true"),
    grace: Duration::from_secs(25),
    instance: &["RENDER_INSTANCE_ID"],
    ..Preset::BASE
};
