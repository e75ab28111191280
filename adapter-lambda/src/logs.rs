//! Logging: one line for each event on stdout, in the format that Lambda asks for.

mod line;
mod value;

use std::panic;
use std::sync::LazyLock;

use anyhost_core::adapter::{Telemetry, keep_own_subscriber};
use anyhost_core::{ConfigError, Settings};
use tracing::subscriber::set_global_default;
use tracing_log::LogTracer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;

use line::Line;

/// Forwards the records of the crate `log`; the filter drops those below the level.
static RECORDS: LazyLock<LogTracer> = LazyLock::new(LogTracer::new);

/// The filter and the format of the log.
#[derive(Debug)]
pub(crate) struct Logs {
    format: Format,
    filter: Targets,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

impl Logs {
    /// The level of `AWS_LAMBDA_LOG_LEVEL`, else of `LOG_LEVEL`, else of `RUST_LOG` (default `info`; there also directives
    /// such as `info,sqlx=debug`), in the format of `AWS_LAMBDA_LOG_FORMAT`, else of `LOG_FORMAT` (`text`
    /// or `json`, default text).
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is wrong.
    pub(crate) fn of(settings: &Settings) -> Result<Self, ConfigError> {
        let (variable, format) = first(settings, "AWS_LAMBDA_LOG_FORMAT", "LOG_FORMAT", "text");
        let format = match format.to_ascii_lowercase().as_str() {
            "text" => Format::Text,
            "json" => Format::Json,
            _ => {
                let problem = format!("expected text or json, found {format:?}");
                return Err(ConfigError::new(variable, problem));
            }
        };
        let (variable, level) = first(settings, "AWS_LAMBDA_LOG_LEVEL", "LOG_LEVEL", "info");
        let named = settings.text(variable).is_some();
        let (variable, level) = match settings.text("RUST_LOG") {
            Some(directives) if !named => ("RUST_LOG", directives),
            _ => (variable, level),
        };
        let level = level.to_ascii_lowercase().replace("fatal", "error");
        let filter =
            level.parse().ok().filter(|_| variable == "RUST_LOG" || is_filter(&level)).ok_or_else(
                || {
                    let problem = "expected off, fatal, error, warn, info, debug or trace";
                    ConfigError::new(variable, format!("{problem}, found {level:?}"))
                },
            )?;
        Ok(Self { format, filter })
    }

    /// Starts logging, including panics, to the collector too if log records are asked for. A subscriber that is installed
    /// already stays.
    pub(crate) fn begin(self, telemetry: Option<&Telemetry>) {
        #[cfg(feature = "opentelemetry")]
        let records = telemetry.and_then(Telemetry::log_layer);
        #[cfg(not(feature = "opentelemetry"))]
        let records = telemetry.map(|_| tracing_subscriber::layer::Identity::new());
        let lines =
            fmt::layer().with_ansi(false).event_format(Line { json: self.format == Format::Json });
        let begun = match self.format {
            Format::Text => set_global_default(
                tracing_subscriber::registry().with(self.filter).with(lines).with(records),
            ),
            Format::Json => set_global_default(
                tracing_subscriber::registry()
                    .with(self.filter)
                    .with(lines.fmt_fields(fmt::format::JsonFields::new()))
                    .with(records),
            ),
        };
        if begun.is_err() {
            keep_own_subscriber();
            return;
        }
        // Fails if the program has installed its own logger, which stays.
        if log::set_logger(&*RECORDS).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
        panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("a panic without a message");
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(place, "panicked: {message}");
        }));
    }
}

fn first<'s>(
    settings: &'s Settings,
    variable: &'static str,
    other: &'static str,
    default: &'s str,
) -> (&'static str, &'s str) {
    match (settings.text(variable), settings.text(other)) {
        (Some(text), _) => (variable, text),
        (None, Some(text)) => (other, text),
        (None, None) => (other, default),
    }
}

/// tracing accepts any word as a target: `LOG_LEVEL=verbose` would silence every other target.
fn is_filter(text: &str) -> bool {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |text: &str| levels.contains(&text.trim());
    text.split(',').all(|part| match part.split_once('=') {
        Some((target, level)) => !target.trim().is_empty() && is_level(level),
        None => is_level(part),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lambda_says_comes_first() {
        let settings = Settings::from_pairs([
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("LOG_FORMAT", "text"),
            ("AWS_LAMBDA_LOG_LEVEL", "FATAL"),
            ("LOG_LEVEL", "info,sqlx=debug"),
            ("RUST_LOG", "trace"),
        ]);
        let logs = Logs::of(&settings).expect("valid");
        assert_eq!(logs.format, Format::Json);
        assert_eq!(logs.filter.to_string(), "error");
        let logs = Logs::of(&Settings::from_pairs([("RUST_LOG", "shop=debug")])).expect("valid");
        assert_eq!(logs.filter.to_string(), "shop=debug");
    }

    #[test]
    fn a_level_that_is_none_names_its_variable() {
        for variable in ["AWS_LAMBDA_LOG_LEVEL", "LOG_LEVEL", "AWS_LAMBDA_LOG_FORMAT", "LOG_FORMAT"]
        {
            let error =
                Logs::of(&Settings::from_pairs([(variable, "verbose")])).expect_err("wrong");
            assert!(error.to_string().starts_with(&format!("{variable}: expected ")), "{error}");
        }
    }
}
