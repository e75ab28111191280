//! One event as one line, in the format of the platform that reads it.

use std::fmt::{self, Write as _};

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
use crate::Context;

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
            LogFormat::Json | LogFormat::Google | LogFormat::LambdaJson => {
                self.json(metadata, context.as_ref(), &fields, spans).map_err(|_| fmt::Error)?
            }
            LogFormat::Text | LogFormat::Journald | LogFormat::LambdaText => {
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
        let lambda = self.format == LogFormat::LambdaJson;
        let (request, trace) =
            if lambda { ("requestId", "traceId") } else { ("request_id", "trace_id") };
        let (severity, ..) = shown(*metadata.level());
        map.serialize_entry(time, &now())?;
        map.serialize_entry(level, if google { severity } else { metadata.level().as_str() })?;
        map.serialize_entry("message", &fields.message)?;
        map.serialize_entry("target", metadata.target())?;
        if let Some(id) = fields.request_id(context) {
            map.serialize_entry(request, id)?;
        }
        let id = match lambda {
            true => context.and_then(Context::platform_trace),
            false => context.map(Context::trace_id),
        };
        if let Some(id) = id {
            map.serialize_entry(trace, id)?;
            if let (true, Some(project)) = (google, &self.project) {
                let trace = format!("projects/{project}/traces/{id}");
                map.serialize_entry("logging.googleapis.com/trace", &trace)?;
            }
        }
        if let Some(tenant) = context.and_then(Context::tenant_id) {
            map.serialize_entry("tenantId", tenant)?;
        }
        let taken = [time, level, "target", request, trace, "tenantId", "spans"];
        for (name, value) in &fields.others {
            match taken.contains(name) {
                true => map.serialize_entry(&format!("_{name}"), value)?,
                false => map.serialize_entry(name, value)?,
            }
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
            (LogFormat::LambdaText, _) => write!(line, "{level:<5} ")?,
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
fn text_of<'f>(fields: impl IntoIterator<Item = (impl fmt::Display, &'f Value)>) -> String {
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::{fmt, registry};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines of one event in a span.
    fn written(format: LogFormat) -> String {
        let written = Written::default();
        let writer = written.clone();
        let lines = fmt::layer()
            .with_ansi(false)
            .fmt_fields(JsonFields::new())
            .event_format(Line { format, project: None, colours: false })
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(registry().with(lines), || {
            let _span = tracing::info_span!("order", item = "a\u{1b}[2J").entered();
            tracing::warn!(level = 7, user = "b\nc", request_id = "r-1", "first\r\nsecond");
        });
        let bytes = written.0.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn an_event_is_one_line_without_what_a_terminal_would_obey() {
        for (format, begin) in [
            (LogFormat::Text, ""),
            (LogFormat::Journald, "<4>"),
            (LogFormat::LambdaText, "WARN  "),
            (LogFormat::Json, "{\"timestamp\":"),
            (LogFormat::Google, "{\"time\":"),
            (LogFormat::LambdaJson, "{\"timestamp\":"),
        ] {
            let line = written(format);
            let line = line.strip_suffix('\n').expect("a whole line");
            assert!(line.starts_with(begin), "{format:?}: {line}");
            assert!(!line.contains(char::is_control), "{format:?}: {line}");
            assert!(line.contains("r-1") && line.contains("order"), "{format:?}: {line}");
        }
    }

    #[test]
    fn no_field_of_an_event_takes_the_place_of_the_lines_own() {
        for (format, level, id) in [
            (LogFormat::Json, "level", "request_id"),
            (LogFormat::Google, "severity", "request_id"),
            (LogFormat::LambdaJson, "level", "requestId"),
        ] {
            let line: Value = serde_json::from_str(&written(format)).expect("JSON");
            let severity = if format == LogFormat::Google { "WARNING" } else { "WARN" };
            assert_eq!(line[level], severity, "{line}");
            assert_eq!(line[id], "r-1", "{line}");
            let own = if level == "level" { "_level" } else { "level" };
            assert_eq!(line[own], 7, "{line}");
            assert_eq!(line["message"], "first\r\nsecond");
            assert_eq!(line["spans"][0]["item"], "a\u{1b}[2J");
        }
    }
}
