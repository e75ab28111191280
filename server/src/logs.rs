//! What the process writes about itself, and how: one line per event on stdout.

use std::io::IsTerminal;

use anyhost_core::{ConfigError, Settings};
use tracing_subscriber::EnvFilter;

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a reader at a terminal.
    Text,
    /// One JSON object a line, for a collector.
    Json,
}

/// What is logged and how.
///
/// Errors of single connections inside actix are left out: what matters of them is logged here, and the
/// rest is what any client can cause.
#[derive(Debug)]
pub struct Logs {
    format: LogFormat,
    filter: EnvFilter,
}

impl Logs {
    /// The level of `LOG_LEVEL` (default `info`; also directives such as `info,sqlx=debug`) in the format
    /// of `LOG_FORMAT` (`text` or `json`; default text on a terminal, else JSON).
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is wrong.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let format = match settings.text("LOG_FORMAT") {
            None if std::io::stdout().is_terminal() => LogFormat::Text,
            None | Some("json") => LogFormat::Json,
            Some("text") => LogFormat::Text,
            Some(other) => {
                let problem = format!("expected text or json, found {other:?}");
                return Err(ConfigError::new("LOG_FORMAT", problem));
            }
        };
        let level = settings.text("LOG_LEVEL").unwrap_or("info");
        let filter = EnvFilter::builder()
            .parse(format!("actix_http=off,{level}"))
            .ok()
            .filter(|_| is_filter(level))
            .ok_or_else(|| {
                ConfigError::new(
                    "LOG_LEVEL",
                    format!("expected off, error, warn, info, debug or trace, found {level:?}"),
                )
            })?;
        Ok(Self { format, filter })
    }

    /// Begins to log. A process that logs already, a test for instance, goes on as it does.
    pub fn begin(self) {
        let lines = tracing_subscriber::fmt().with_env_filter(self.filter);
        let begun = match self.format {
            LogFormat::Text => lines.try_init(),
            LogFormat::Json => lines.json().flatten_event(true).try_init(),
        };
        if begun.is_err() {
            tracing::debug!("logging was set up already");
            return;
        }
        // A panic is an event like any other: one line in the same form, not several on stderr.
        std::panic::set_hook(Box::new(|panic| {
            let location = panic.location().map(ToString::to_string);
            tracing::error!(location, "panic: {}", panic.payload_as_str().unwrap_or("no message"));
        }));
    }
}

/// tracing takes any word for a target: `LOG_LEVEL=verbose` would silence everything but that target.
fn is_filter(text: &str) -> bool {
    text.split(',').all(|part| {
        part.contains('=')
            || ["off", "error", "warn", "info", "debug", "trace"]
                .contains(&part.trim().to_ascii_lowercase().as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_is_refused() {
        for wrong in ["verbose", "info,loud", "="] {
            let settings = Settings::from_pairs([("LOG_LEVEL", wrong)]);
            let error = Logs::from_settings(&settings).expect_err(wrong);
            assert_eq!(error.variable(), "LOG_LEVEL");
        }
        for right in ["debug", "INFO", "info,sqlx=debug"] {
            Logs::from_settings(&Settings::from_pairs([("LOG_LEVEL", right)])).expect(right);
        }
    }
}
