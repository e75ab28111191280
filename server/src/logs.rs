//! What the process writes about itself, and how: one line per event on stdout.

mod fields;
mod line;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::LazyLock;

use anyhost_core::adapter::{Telemetry, keep_own_subscriber};
use anyhost_core::{ConfigError, Settings};
use tracing::subscriber::set_global_default;
use tracing_log::LogTracer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, fmt, reload};

use line::Line;

const LEVEL: &str = "LOG_LEVEL";
const RUST_LOG: &str = "RUST_LOG";

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a reader at a terminal.
    Text,
    /// One JSON object a line, with `timestamp`, `level` and `message`.
    Json,
    /// One JSON object a line, with the `time`, `severity` and trace that Google's Cloud Logging reads.
    Google,
    /// Text after a priority such as `<6>`, for systemd's journal.
    Journald,
}

/// Takes the records of the crate `log`; the filter leaves out those that are not wanted.
static RECORDS: LazyLock<LogTracer> = LazyLock::new(LogTracer::new);

/// What is logged and how.
///
/// Lines of the crate `h2` are left out unless they are asked for by name: a client decides how many there are. What
/// matters of its connections is logged here.
#[derive(Debug)]
pub struct Logs {
    format: LogFormat,
    level: String,
    filter: Targets,
    project: Option<String>,
}

impl Logs {
    /// The level of `LOG_LEVEL`, else of `RUST_LOG` (default `info`; also directives such as `info,sqlx=debug`) in the format
    /// of `LOG_FORMAT`: `text`, `json`, `google`, `journald` or `auto`, the default, which is text on a
    /// terminal, `journald` where stdout is a stream of the journal, and else what the platform reads.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is wrong.
    pub fn from_settings(settings: &Settings, platform: LogFormat) -> Result<Self, ConfigError> {
        let format = match settings.text("LOG_FORMAT") {
            None | Some("auto") if io::stdout().is_terminal() => LogFormat::Text,
            None | Some("auto") if to_the_journal(settings) => LogFormat::Journald,
            None | Some("auto") => platform,
            Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some("google") => LogFormat::Google,
            Some("journald") => LogFormat::Journald,
            Some(other) => {
                let problem =
                    format!("expected auto, text, json, google or journald, found {other:?}");
                return Err(ConfigError::new("LOG_FORMAT", problem));
            }
        };
        let project = settings.text("GOOGLE_CLOUD_PROJECT").map(str::to_owned);
        let filter = filter(settings)?;
        let level = level(settings).1.to_owned();
        Ok(Self { format, level, filter, project })
    }

    /// What is in force for `LOG_LEVEL` and `LOG_FORMAT`, defaults among them.
    #[must_use]
    pub fn in_force(&self) -> [(&'static str, String); 2] {
        let format = match self.format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
            LogFormat::Google => "google",
            LogFormat::Journald => "journald",
        };
        [(LEVEL, self.level.clone()), ("LOG_FORMAT", format.to_owned())]
    }

    /// Begins to log, at a level that can be changed, records of the crate `log` among it. A process that has a tracing
    /// subscriber already goes on with that; what it leaves out and must be read goes to stderr.
    /// Events go to the collector too, if log records are asked for.
    pub fn begin(self, telemetry: Option<&Telemetry>) -> LogLevel {
        #[cfg(feature = "opentelemetry")]
        let records = telemetry.and_then(Telemetry::log_layer);
        #[cfg(not(feature = "opentelemetry"))]
        let records = telemetry.map(|_| tracing_subscriber::layer::Identity::new());
        let colours = self.format == LogFormat::Text && io::stdout().is_terminal();
        let lines = Line { format: self.format, project: self.project, colours };
        let lines = fmt::layer().with_ansi(false).fmt_fields(JsonFields::new()).event_format(lines);
        let (filter, level) = reload::Layer::new(self.filter);
        let subscriber = tracing_subscriber::registry().with(filter).with(lines).with(records);
        if set_global_default(subscriber).is_err() {
            keep_own_subscriber();
            return LogLevel(level);
        }
        // A program with a logger of its own keeps it.
        if log::set_logger(&*RECORDS).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
        // A panic is an event like any other: one line in the same form, not several on stderr.
        std::panic::set_hook(Box::new(|panic| {
            let location = panic.location().map(ToString::to_string);
            tracing::error!(location, "panic: {}", panic.payload_as_str().unwrap_or("no message"));
        }));
        LogLevel(level)
    }
}

/// The level of a process that logs.
#[derive(Clone, Debug)]
pub struct LogLevel(reload::Handle<Targets, Registry>);

impl LogLevel {
    /// Takes the level from settings that were read again.
    ///
    /// # Errors
    /// [`ConfigError`] where `LOG_LEVEL` is none; the level stays as it was.
    pub fn set(&self, settings: &Settings) -> Result<(), ConfigError> {
        let filter = filter(settings)?;
        // Fails if the program has installed a subscriber of its own, which has its own filter.
        let _ = self.0.reload(filter);
        Ok(())
    }
}

fn filter(settings: &Settings) -> Result<Targets, ConfigError> {
    let (variable, level) = level(settings);
    format!("h2=off,{level}")
        .parse()
        .ok()
        // Directives of `RUST_LOG` may be a target alone, as everywhere; `LOG_LEVEL` is a level in the first place.
        .filter(|_| variable == RUST_LOG || is_filter(level))
        .ok_or_else(|| {
            ConfigError::new(
                variable,
                format!("expected off, error, warn, info, debug or trace, found {level:?}"),
            )
        })
}

/// The level and the variable that says it: `LOG_LEVEL`, else `RUST_LOG`.
fn level(settings: &Settings) -> (&'static str, &str) {
    match (settings.text(LEVEL), settings.text(RUST_LOG)) {
        (Some(level), _) => (LEVEL, level),
        (None, Some(directives)) => (RUST_LOG, directives),
        (None, None) => (LEVEL, "info"),
    }
}

/// Whether stdout is the stream that systemd has connected to the journal: the variable alone may be left
/// over from another process (systemd.exec(5)).
fn to_the_journal(settings: &Settings) -> bool {
    let Some((device, inode)) =
        settings.text("JOURNAL_STREAM").and_then(|text| text.split_once(':'))
    else {
        return false;
    };
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    stdout
        .and_then(|stdout| stdout.metadata())
        .is_ok_and(|stdout| device.parse() == Ok(stdout.dev()) && inode.parse() == Ok(stdout.ino()))
}

/// tracing takes any word for a target: `LOG_LEVEL=verbose` would silence everything but that target.
fn is_filter(text: &str) -> bool {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |text: &str| levels.contains(&text.trim().to_ascii_lowercase().as_str());
    text.split(',').all(|part| match part.split_once('=') {
        Some((target, level)) => !target.trim().is_empty() && is_level(level),
        None => is_level(part),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_log_counts_if_there_is_no_log_level() {
        let shown = |pairs: &[(&str, &str)]| {
            filter(&Settings::from_pairs(pairs.iter().copied())).expect("valid").to_string()
        };
        assert!(shown(&[("RUST_LOG", "shop=debug")]).contains("shop=debug"));
        assert!(shown(&[("RUST_LOG", "shop")]).contains("shop"));
        let both = shown(&[("RUST_LOG", "debug"), ("LOG_LEVEL", "warn")]);
        assert!(both.contains("warn") && !both.contains("debug"), "{both}");
        let wrong = Settings::from_pairs([("RUST_LOG", "shop=loud")]);
        assert_eq!(filter(&wrong).expect_err("no level").variable(), "RUST_LOG");
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        for wrong in ["verbose", "info,loud", "="] {
            let settings = Settings::from_pairs([("LOG_LEVEL", wrong)]);
            let error = Logs::from_settings(&settings, LogFormat::Json).expect_err(wrong);
            assert_eq!(error.variable(), "LOG_LEVEL");
        }
        for right in ["debug", "INFO", "info,sqlx=debug"] {
            let settings = Settings::from_pairs([("LOG_LEVEL", right)]);
            Logs::from_settings(&settings, LogFormat::Json).expect(right);
        }
    }
}
