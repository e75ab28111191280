//! Detects the platform that this process runs on.

use anyhost_core::{ConfigError, Settings};

use crate::preset::Preset;
use crate::presets::ALL;

/// The platform that `PLATFORM` names, else the first that recognises the environment.
///
/// # Errors
/// [`ConfigError`] if `PLATFORM` names no known platform.
pub(crate) fn platform(settings: &Settings) -> Result<&'static Preset, ConfigError> {
    let named = settings.text("PLATFORM");
    let found = match named {
        Some(name) => {
            let name = name.to_ascii_lowercase().replace('-', "_");
            ALL.iter().find(|preset| preset.name == name)
        }
        None => ALL.iter().find(|preset| (preset.is)(settings)),
    };
    found.copied().ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|preset| preset.name).collect();
        let found = named.unwrap_or_default();
        ConfigError::new(
            "PLATFORM",
            format!("expected one of {}, found {found:?}", names.join(", ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &str) {
        let settings = Settings::from_pairs(variables.iter().copied());
        assert_eq!(platform(&settings).expect("a platform").name, expected, "{variables:?}");
    }

    #[test]
    fn a_platform_is_recognised_by_what_it_sets() {
        check(&[], "generic");
        check(&[("DYNO", "web.1")], "heroku");
        check(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")], "kubernetes");
        check(&[("K_SERVICE", "notes"), ("K_REVISION", "notes-1")], "cloud_run");
        check(&[("FLY_APP_NAME", "notes"), ("FLY_MACHINE_ID", "e2865")], "fly");
        check(&[("RAILWAY_SERVICE_ID", "5a")], "railway");
        check(&[("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x")], "ecs");
        check(&[("FUNCTIONS_CUSTOMHANDLER_PORT", "41000")], "azure_functions");
    }

    #[test]
    fn what_runs_on_kubernetes_is_not_taken_for_it() {
        let kubernetes = ("KUBERNETES_SERVICE_HOST", "10.0.0.1");
        check(&[("RENDER", "true"), kubernetes], "render");
        check(&[("K_SERVICE", "notes"), kubernetes], "knative");
        check(&[("CONTAINER_APP_NAME", "notes"), kubernetes], "azure_container_apps");
    }

    #[test]
    fn what_other_hosts_leave_behind_is_no_sign() {
        // Inherited from a terminal or a unit that started something else.
        check(&[("INVOCATION_ID", "0123456789abcdef0123456789abcdef")], "generic");
    }

    #[test]
    fn a_name_wins_over_every_sign() {
        check(&[("PLATFORM", "cloud-run"), ("DYNO", "web.1")], "cloud_run");
        check(&[("PLATFORM", "digitalocean")], "digitalocean");
        let settings = Settings::from_pairs([("PLATFORM", "herokou")]);
        let error = platform(&settings).expect_err("no such platform");
        assert_eq!(error.variable(), "PLATFORM");
        assert!(error.to_string().contains("heroku,"), "{error}");
        assert!(error.to_string().ends_with("found \"herokou\""), "{error}");
    }

    #[test]
    fn every_lame_duck_fits_into_its_grace() {
        for preset in ALL {
            assert!(preset.lame_duck * 2 <= preset.grace, "{}", preset.name);
        }
    }
}
