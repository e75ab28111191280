//! The properties in which platforms differ, as data.

use std::time::Duration;

use anyhost_core::adapter::LogFormat;
use anyhost_core::{ConfigError, Settings};
use anyhost_server::{Config, TrustedProxies};

/// A platform: how it is recognised and what it needs.
///
/// If a number has a source, the platform's own file names it.
#[derive(Debug)]
pub(crate) struct Preset {
    /// The name in `PLATFORM` and in `Host::platform`.
    pub(crate) name: &'static str,
    /// Returns whether the settings are those of this platform's environment.
    pub(crate) is: fn(&Settings) -> bool,
    /// The variable with the port to listen on.
    pub(crate) port: &'static str,
    /// The part of the time between the stop signal and the kill that a drain may take.
    pub(crate) grace: Duration,
    /// The variable in which the platform gives that time, in seconds.
    pub(crate) grace_variable: Option<&'static str>,
    /// How long routers may still send new connections after the stop signal.
    pub(crate) lame_duck: Duration,
    /// Whether the platform's database URLs omit that the server requires TLS.
    pub(crate) database_tls: bool,
    /// How long the App may take to respond, on platforms whose router has a timeout.
    pub(crate) request_timeout: Option<Duration>,
    /// The variables that identify a process among its siblings, in order of preference.
    pub(crate) instance: &'static [&'static str],
    /// The headers about the client that the platform's one router sets or overwrites whatever the client
    /// sends, on platforms that promise it and let no request past the router.
    pub(crate) trusted: &'static [&'static str],
    /// The log lines that the platform reads.
    pub(crate) logs: LogFormat,
}

impl Preset {
    /// The defaults of an unknown platform; each preset overrides some of them.
    pub(crate) const BASE: Self = Self {
        name: "generic",
        is: |_| true,
        port: "PORT",
        // `docker stop` and Compose wait 10 seconds.
        grace: Duration::from_secs(8),
        grace_variable: None,
        lame_duck: Duration::ZERO,
        database_tls: false,
        request_timeout: None,
        instance: &["HOSTNAME"],
        trusted: &[],
        logs: LogFormat::Json,
    };

    /// How the server treats requests here, unless the settings say something else. At a terminal a
    /// stop does not wait for routers to notice it.
    pub(crate) fn config(
        &self,
        settings: &Settings,
        terminal: bool,
    ) -> Result<Config, ConfigError> {
        // If the grace is short, half of it is reserved for requests in flight.
        let lame_duck = self.lame_duck.min(self.grace(settings)? / 2);
        Config {
            lame_duck: if terminal { Duration::ZERO } else { lame_duck },
            request_timeout: self.request_timeout,
            trust: TrustedProxies::router(self.trusted)?,
            ..Config::default()
        }
        .with(settings)
    }

    /// How long a stop may take: `SHUTDOWN_GRACE`, else the time in [`grace_variable`](Self::grace_variable), else the
    /// default of the platform.
    pub(crate) fn grace(&self, settings: &Settings) -> Result<Duration, ConfigError> {
        if let Some(grace) = settings.get("SHUTDOWN_GRACE")? {
            return Ok(grace);
        }
        match self.grace_variable {
            // The platform kills the process when this time is over, so the last tenth is not used.
            Some(variable) => Ok(settings
                .get::<u64>(variable)?
                .map_or(self.grace, |seconds| Duration::from_secs(seconds) * 9 / 10)),
            None => Ok(self.grace),
        }
    }

    /// The name of this process among its siblings.
    pub(crate) fn instance<'s>(&self, settings: &'s Settings) -> Option<&'s str> {
        self.instance.iter().find_map(|variable| settings.text(variable))
    }
}

/// Returns whether a variable is set and not empty.
pub(crate) fn has(settings: &Settings, variable: &str) -> bool {
    settings.text(variable).is_some()
}
