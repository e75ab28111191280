//! A container somewhere: Docker, Compose, Podman, a Procfile runner.

use crate::preset::Preset;

pub(super) const PRESET: Preset = Preset::BASE;
