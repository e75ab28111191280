//! The platforms, one file each.

mod azure_container_apps;
mod azure_functions;
mod cloud_run;
mod digitalocean;
mod ecs;
mod fly;
mod generic;
mod heroku;
mod knative;
mod kubernetes;
mod railway;
mod render;

use crate::preset::Preset;

/// Every platform, in the order of detection: the first one that recognises the environment wins. A platform that
/// runs on top of another comes before it.
pub(crate) const ALL: &[&Preset] = &[
    &azure_functions::PRESET,
    // Knative sets K_SERVICE as Cloud Run does, and is Kubernetes underneath.
    &knative::PRESET,
    &cloud_run::PRESET,
    &heroku::PRESET,
    &fly::PRESET,
    // Render and Azure Container Apps run on Kubernetes and set its variables too.
    &render::PRESET,
    &railway::PRESET,
    &azure_container_apps::PRESET,
    &ecs::PRESET,
    &kubernetes::PRESET,
    // DigitalOcean sets no variable to detect it by: it is chosen by PLATFORM.
    &digitalocean::PRESET,
    &generic::PRESET,
];
