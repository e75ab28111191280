//! An unknown platform: Docker, Compose, Podman, a Procfile runner.

use std::time::Duration;

use crate::preset::Preset;

/// The router is unknown: 3 seconds allow for three health checks, one per second, as haproxy and
/// most load balancers can be configured to make, and leave 5 of the 8 to requests in flight.
pub(super) const PRESET: Preset = Preset { lame_duck: Duration::from_secs(3), ..Preset::BASE };
