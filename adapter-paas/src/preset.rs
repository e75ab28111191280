//! What is different on a platform, as data.

use std::time::Duration;

use anyhost_core::{ConfigError, Settings};
use anyhost_server::{Config, LogFormat, Trust};

/// A platform: how it is recognised and what it needs.
///
/// If a number has a source, the platform's own file names it.
#[derive(Debug)]
pub(crate) struct Preset {
    /// The name that `PLATFORM` takes and the App is told.
    pub(crate) name: &'static str,
    /// Whether an environment is this platform's.
    pub(crate) is: fn(&Settings) -> bool,
    /// The variable with the port to listen on.
    pub(crate) port: &'static str,
    /// The part of the time between the stop signal and the kill that a drain may take.
    pub(crate) grace: Duration,
    /// The variable with which the platform tells that time, in seconds.
    pub(crate) grace_variable: Option<&'static str>,
    /// How long routers may go on sending new connections after the stop signal.
    pub(crate) lame_duck: Duration,
    /// Whether the platform hands out URLs of databases that demand TLS and do not say so.
    pub(crate) database_tls: bool,
    /// When the App must have a response, on platforms whose router gives up.
    pub(crate) request_timeout: Option<Duration>,
    /// The variables that tell one process from another, the best first.
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
        // Where less time is given, requests in flight get half of it in any case.
        let lame_duck = self.lame_duck.min(self.grace(settings)? / 2);
        Config {
            lame_duck: if terminal { Duration::ZERO } else { lame_duck },
            request_timeout: self.request_timeout,
            trust: Trust::router(self.trusted)?,
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
            // The platform kills at the end of it: the last tenth is left unused.
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

/// Whether a variable is set to something.
pub(crate) fn has(settings: &Settings, variable: &str) -> bool {
    settings.text(variable).is_some()
}
