//! DigitalOcean App Platform, <https://docs.digitalocean.com/products/app-platform/reference/app-spec/>.

use std::time::Duration;

use crate::preset::Preset;

/// SIGKILL follows SIGTERM after 120 seconds by default (`termination.grace_period_seconds`), and traffic
/// has drained for 15 before. No variable identifies the platform.
pub(super) const PRESET: Preset =
    Preset { name: "digitalocean", is: |_| false, grace: Duration::from_secs(110), ..Preset::BASE };
