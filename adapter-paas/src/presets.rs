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

/// Every platform, in the order in which they are looked for: the first that recognises the environment
/// is it. What runs on top of something comes before what it runs on.
pub(crate) const ALL: &[&Preset] = &[
    &azure_functions::PRESET,
    // Knative sets K_SERVICE as Cloud Run does, and is Kubernetes underneath.
    &knative::PRESET,
    &cloud_run::PRESET,
    &heroku::PRESET,
    &fly::PRESET,
    // Render and Azure Container Apps are Kubernetes underneath and let it show.
    &render::PRESET,
    &railway::PRESET,
    &azure_container_apps::PRESET,
    &ecs::PRESET,
    &kubernetes::PRESET,
    // Nothing in its environment tells DigitalOcean: it is chosen by PLATFORM.
    &digitalocean::PRESET,
    &generic::PRESET,
];
