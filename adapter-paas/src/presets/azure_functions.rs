//! Azure Functions as a custom handler that gets plain HTTP, <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers>.

use std::time::Duration;

use crate::preset::{Preset, has};

/// The functions host is the only client: it listens, forwards and ends a request after 230 seconds.
pub(super) const PRESET: Preset = Preset {
    name: "azure_functions",
    is: |settings| has(settings, "FUNCTIONS_CUSTOMHANDLER_PORT"),
    port: "FUNCTIONS_CUSTOMHANDLER_PORT",
    grace: Duration::from_secs(4),
    request_timeout: Some(Duration::from_secs(228)),
    instance: &["WEBSITE_INSTANCE_ID"],
    ..Preset::BASE
};
