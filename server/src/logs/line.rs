//! One event as one line, in the format of the platform that reads it.

use std::fmt::{self, Write as _};

use anyhost_core::Context;
use serde::Serializer as _;
use serde::ser::SerializeMap as _;
use serde_json::{Map, Value};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::LogFormat;
use super::fields::{Fields, Shown};

/// The name of a span and its fields.
type Span = (&'static str, Map<String, Value>);

/// How a line is written.
pub(super) struct Line {
    pub(super) format: LogFormat,
    /// The project that Google's tools look for a trace in.
    pub(super) project: Option<String>,
    pub(super) colours: bool,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, JsonFields> for Line {
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let scope = ctx.event_scope();
        let spans = scope.into_iter().flat_map(|scope| scope.from_root()).map(|span| {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            let fields = fields.and_then(|fields| serde_json::from_str(fields).ok());
            (span.name(), fields.unwrap_or_default())
        });
        let spans: Vec<Span> = spans.collect();
        let context = Context::current();
        // A record of the crate `log` has its own target.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let line = match self.format {
            LogFormat::Json | LogFormat::Google => {
                self.json(metadata, context.as_ref(), &fields, spans).map_err(|_| fmt::Error)?
            }
            LogFormat::Text | LogFormat::Journald => {
                self.text(metadata, context.as_ref(), &fields, &spans)?
            }
        };
        writeln!(writer, "{line}")
    }
}

impl Line {
    fn json(
        &self,
        metadata: &Metadata<'_>,
        context: Option<&Context>,
        fields: &Fields,
        spans: Vec<Span>,
    ) -> serde_json::Result<String> {
        let mut line = Vec::with_capacity(256);
        let mut serializer = serde_json::Serializer::new(&mut line);
        let mut map = serializer.serialize_map(None)?;
        let google = self.format == LogFormat::Google;
        let (time, level) = if google { ("time", "severity") } else { ("timestamp", "level") };
        let (severity, ..) = shown(*metadata.level());
        map.serialize_entry(time, &now())?;
        map.serialize_entry(level, if google { severity } else { metadata.level().as_str() })?;
        map.serialize_entry("message", &fields.message)?;
        map.serialize_entry("target", metadata.target())?;
        if let Some(id) = fields.request_id(context) {
            map.serialize_entry("request_id", id)?;
        }
        if let Some(trace) = context.map(Context::trace_id) {
            map.serialize_entry("trace_id", trace)?;
            if let (true, Some(project)) = (google, &self.project) {
                let trace = format!("projects/{project}/traces/{trace}");
                map.serialize_entry("logging.googleapis.com/trace", &trace)?;
            }
        }
        for (name, value) in &fields.others {
            map.serialize_entry(name, value)?;
        }
        if !spans.is_empty() {
            let named = |(name, mut fields): Span| {
                fields.insert("name".to_owned(), name.into());
                fields
            };
            map.serialize_entry("spans", &spans.into_iter().map(named).collect::<Vec<_>>())?;
        }
        map.end()?;
        // JSON is UTF-8.
        Ok(String::from_utf8(line).unwrap_or_default())
    }

    fn text(
        &self,
        metadata: &Metadata<'_>,
        context: Option<&Context>,
        fields: &Fields,
        spans: &[Span],
    ) -> Result<String, fmt::Error> {
        let mut line = String::with_capacity(256);
        let level = *metadata.level();
        let (_, priority, colour) = shown(level);
        match (self.format, self.colours) {
            // The journal knows the time and takes the level from the prefix.
            (LogFormat::Journald, _) => write!(line, "<{priority}>")?,
            (_, true) => {
                write!(line, "\x1b[2m{}\x1b[0m \x1b[{colour}m{level:>5}\x1b[0m ", now())?;
            }
            (_, false) => write!(line, "{} {level:>5} ", now())?,
        }
        write!(line, "{}: ", metadata.target())?;
        for (name, fields) in spans {
            write!(line, "{name}{{{}}}: ", text_of(fields).trim_start())?;
        }
        let others = text_of(fields.others.iter().map(|(name, value)| (name, value)));
        write!(line, "{}{others}", Shown(&fields.message))?;
        if let Some(id) = fields.request_id(context) {
            write!(line, " request_id={}", Shown(id))?;
        }
        if let Some(context) = context.filter(|context| context.trace_id() != context.request_id())
        {
            write!(line, " trace_id={}", context.trace_id())?;
        }
        Ok(line)
    }
}

/// Fields as text, each behind a space.
fn text_of<'f>(fields: impl IntoIterator<Item = (&'f String, &'f Value)>) -> String {
    let mut all = String::new();
    for (name, value) in fields {
        // Writing to a string cannot fail.
        let _ = match value {
            Value::String(text) => write!(all, " {name}={}", Shown(text)),
            other => write!(all, " {name}={other}"),
        };
    }
    all
}

/// The time in RFC 3339, in microseconds of UTC.
fn now() -> String {
    let mut now = String::with_capacity(27);
    // Writing to a string cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut now));
    now
}

/// Returns a level as Cloud Logging has it, <https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity>,
/// as the number of syslog that sd-daemon(3) writes before a line, and as the colour of a terminal.
fn shown(level: Level) -> (&'static str, u8, u8) {
    match level {
        Level::ERROR => ("ERROR", 3, 31),
        Level::WARN => ("WARNING", 4, 33),
        Level::INFO => ("INFO", 6, 32),
        Level::DEBUG => ("DEBUG", 7, 34),
        Level::TRACE => ("DEBUG", 7, 35),
    }
}
