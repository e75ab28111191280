//! A container somewhere: Docker, Compose, Podman, a Procfile runner.

use std::time::Duration;

use crate::preset::Preset;

/// Whatever routes to it is unknown: 3 seconds are time for three checks a second apart, as haproxy and
/// most load balancers can be told to make, and leave 5 of the 8 to requests in flight.
pub(super) const PRESET: Preset = Preset { lame_duck: Duration::from_secs(3), ..Preset::BASE };
