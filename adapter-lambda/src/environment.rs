//! Reads the environment of the process; no other file of this crate reads it.

use std::ffi::OsString;
use std::time::Duration;

use anyhost_core::{ConfigError, Setting, Settings};

use crate::events::TrustedHeaders;
use crate::runtime_api::Endpoint;

/// The command line and the settings of this process.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub(crate) fn read() -> (Vec<OsString>, Settings) {
    (std::env::args_os().collect(), Settings::from_vars(std::env::vars_os()))
}

/// How this process serves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Configuration {
    /// How many invocations Lambda gives this process at once.
    pub(crate) concurrency: usize,
    /// Whether responses are sent in one piece.
    pub(crate) mode: ResponseMode,
    /// Which headers of a proxy in front of the function are trusted.
    pub(crate) trust: TrustedHeaders,
    /// How long a start may take before Lambda restarts it; `None` if there is no limit.
    pub(crate) init_budget: Option<Duration>,
}

/// How responses are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    /// In one piece, up to Lambda's limit.
    #[default]
    Buffered,
    /// In chunks, if the source supports it.
    Streaming,
}

/// Lambda ends an init after 10 seconds and repeats it in the first invocation, so a start that takes
/// longer continues in that invocation instead.
const INIT_BUDGET: Duration = Duration::from_millis(9_500);

impl Configuration {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is wrong.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        // If environments are prepared ahead of requests, an init may take 15 minutes.
        let ahead = matches!(
            settings.text("AWS_LAMBDA_INITIALIZATION_TYPE"),
            Some("provisioned-concurrency" | "lambda-managed-instances")
        );
        Ok(Self {
            concurrency: settings.get("AWS_LAMBDA_MAX_CONCURRENCY")?.unwrap_or(1).max(1),
            mode: settings.get("RESPONSE_MODE")?.unwrap_or_default(),
            trust: settings.get("TRUSTED_HEADERS")?.unwrap_or_default(),
            init_budget: (!ahead).then_some(INIT_BUDGET),
        })
    }

    /// Returns the address of the Runtime API.
    ///
    /// # Errors
    /// [`ConfigError`] if the variable is missing or invalid.
    pub(crate) fn endpoint(settings: &Settings) -> Result<Endpoint, ConfigError> {
        settings.require("AWS_LAMBDA_RUNTIME_API")
    }
}

impl Setting for ResponseMode {
    fn expected() -> String {
        "buffered or streaming".into()
    }

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "buffered" => Some(Self::Buffered),
            "streaming" => Some(Self::Streaming),
            _ => None,
        }
    }
}

impl Setting for TrustedHeaders {
    fn expected() -> String {
        "X-Forwarded-Host, the one header that can be trusted here (the event itself says who the client is)"
            .into()
    }

    fn parse(text: &str) -> Option<Self> {
        let is_host = |name: &str| name.trim().eq_ignore_ascii_case("x-forwarded-host");
        text.split(',').all(is_host).then_some(Self { forwarded_host: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_prepared_ahead_may_take_its_time() {
        let budget = |kind: &str| {
            let settings = Settings::from_pairs([("AWS_LAMBDA_INITIALIZATION_TYPE", kind)]);
            Configuration::from_settings(&settings).expect("valid").init_budget
        };
        assert_eq!(budget("on-demand"), Some(INIT_BUDGET));
        assert_eq!(budget("provisioned-concurrency"), None);
        assert_eq!(budget("lambda-managed-instances"), None);
    }

    #[test]
    fn an_error_names_the_variable() {
        for (variable, value) in [
            ("AWS_LAMBDA_MAX_CONCURRENCY", "many"),
            ("RESPONSE_MODE", "both"),
            ("TRUSTED_HEADERS", "x-forwarded-host, x-forwarded-for"),
        ] {
            let settings = Settings::from_pairs([(variable, value)]);
            let error = Configuration::from_settings(&settings).expect_err("wrong");
            assert!(error.to_string().starts_with(&format!("{variable}: expected ")), "{error}");
        }
        let error = Configuration::endpoint(&Settings::default()).expect_err("missing");
        assert_eq!(error.variable(), "AWS_LAMBDA_RUNTIME_API");
    }
}
