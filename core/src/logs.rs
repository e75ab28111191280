//! What a process writes about itself: one line for each event on stdout, in the format that its reader expects.

mod fields;
mod filter;
mod line;
mod own_subscriber;

use std::io::{self, IsTerminal};
use std::sync::LazyLock;

use tracing::subscriber::set_global_default;
use tracing_log::LogTracer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, fmt, reload};

pub use filter::LogFilter;
use line::Line;
use own_subscriber::keep_own_subscriber;
pub use own_subscriber::to_stderr_unless;

use crate::telemetry::Telemetry;
use crate::{ConfigError, Settings};

/// The format of a log line.
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
    /// Text without a time, for CloudWatch, which knows it.
    LambdaText,
    /// One JSON object a line, with the `requestId` and the `traceId` that Lambda's log tools read.
    LambdaJson,
}

/// Forwards the records of the crate `log`; the filter drops those that are not wanted.
static RECORDS: LazyLock<LogTracer> = LazyLock::new(LogTracer::new);

/// The filter and the format of the log.
#[derive(Debug)]
pub struct Logs {
    /// The format of each line.
    pub format: LogFormat,
    /// The events that are written.
    pub filter: LogFilter,
    /// The project in which Google's tools look for a trace.
    pub project: Option<String>,
}

impl Logs {
    /// What is in force for `LOG_LEVEL` and `LOG_FORMAT`, defaults among them.
    #[must_use]
    pub fn in_force(&self) -> [(&'static str, String); 2] {
        let format = match self.format {
            LogFormat::Text | LogFormat::LambdaText => "text",
            LogFormat::Json | LogFormat::LambdaJson => "json",
            LogFormat::Google => "google",
            LogFormat::Journald => "journald",
        };
        [("LOG_LEVEL", self.filter.to_string()), ("LOG_FORMAT", format.to_owned())]
    }

    /// Starts logging events, records of the crate `log` and panics, at a level that can be changed; to the collector too,
    /// if log records are asked for. A subscriber that the program has installed already stays: the lines of ours that it
    /// leaves out and that must be read go to stderr.
    pub fn begin(self, telemetry: Option<&Telemetry>) -> LogLevel {
        let records = telemetry.and_then(Telemetry::log_layer);
        let colours = self.format == LogFormat::Text && io::stdout().is_terminal();
        let lines = Line { format: self.format, project: self.project, colours };
        let lines = fmt::layer().with_ansi(false).fmt_fields(JsonFields::new()).event_format(lines);
        let LogFilter { variables, targets, .. } = self.filter;
        let (filter, handle) = reload::Layer::new(targets);
        let level = LogLevel { variables, handle };
        let subscriber = tracing_subscriber::registry().with(filter).with(lines).with(records);
        if set_global_default(subscriber).is_err() {
            keep_own_subscriber();
            return level;
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
        level
    }
}

/// The level of a process that logs.
#[derive(Clone, Debug)]
pub struct LogLevel {
    variables: &'static [&'static str],
    handle: reload::Handle<Targets, Registry>,
}

impl LogLevel {
    /// Takes the level from settings that were read again.
    ///
    /// # Errors
    /// [`ConfigError`] if a variable of the level is wrong; the level stays as it was.
    pub fn set(&self, settings: &Settings) -> Result<(), ConfigError> {
        let filter = LogFilter::from_settings(settings, self.variables)?;
        // Fails if the program has installed a subscriber of its own, which has its own filter.
        let _ = self.handle.reload(filter.targets);
        Ok(())
    }
}
