//! One event as one line, in the format of the platform that reads it.

use std::fmt::{self, Write as _};

use anyhost_core::Context;
use tracing::{Event, Level, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::LogFormat;
use super::fields::{Fields, Shown, json_text};

/// How a line is written.
pub(super) struct Line {
    pub(super) format: LogFormat,
    /// The project that Google's tools look for a trace in.
    pub(super) project: Option<String>,
    pub(super) colours: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let json = matches!(self.format, LogFormat::Json | LogFormat::Google);
        let mut fields = Fields::new(json);
        event.record(&mut fields);
        let scope = ctx.event_scope();
        let spans: Vec<(&str, String)> = scope
            .into_iter()
            .flat_map(|scope| scope.from_root())
            .map(|span| {
                let extensions = span.extensions();
                let fields = extensions.get::<FormattedFields<N>>();
                (span.name(), fields.map(|fields| fields.fields.clone()).unwrap_or_default())
            })
            .collect();
        let context = Context::current();
        // A record of the crate `log` has its own target.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let event = Known {
            level: *metadata.level(),
            target: metadata.target(),
            context: context.as_ref(),
        };
        let mut line = String::with_capacity(256);
        if json {
            self.json(&mut line, &event, &fields, &spans)?;
        } else {
            self.text(&mut line, &event, &fields, &spans)?;
        }
        writeln!(writer, "{line}")
    }
}

/// What is known of an event besides its fields.
struct Known<'e> {
    level: Level,
    target: &'e str,
    context: Option<&'e Context>,
}

impl<'e> Known<'e> {
    /// An event that names its request knows better than the place it was written in.
    fn request_id(&self, fields: &'e Fields) -> Option<&'e str> {
        fields.request_id.as_deref().or(self.context.map(Context::request_id))
    }
}

impl Line {
    fn json(
        &self,
        line: &mut String,
        event: &Known<'_>,
        fields: &Fields,
        spans: &[(&str, String)],
    ) -> fmt::Result {
        let google = self.format == LogFormat::Google;
        let (time, level) = if google { ("time", "severity") } else { ("timestamp", "level") };
        let severity = if google { shown(event.level).0 } else { event.level.as_str() };
        write!(line, "{{\"{time}\":\"{}\",\"{level}\":\"{severity}\",\"message\":", now())?;
        json_text(line, &fields.message);
        line.push_str(",\"target\":");
        json_text(line, event.target);
        if let Some(id) = event.request_id(fields) {
            line.push_str(",\"request_id\":");
            json_text(line, id);
        }
        if let Some(context) = event.context {
            line.push_str(",\"trace_id\":");
            json_text(line, context.trace_id());
            if let (true, Some(project)) = (google, &self.project) {
                let trace = format!("projects/{project}/traces/{}", context.trace_id());
                line.push_str(",\"logging.googleapis.com/trace\":");
                json_text(line, &trace);
            }
        }
        line.push_str(&fields.others);
        if !spans.is_empty() {
            line.push_str(",\"spans\":[");
            for (number, (name, fields)) in spans.iter().enumerate() {
                line.push_str(if number == 0 { "{\"name\":" } else { ",{\"name\":" });
                json_text(line, name);
                // The fields are an object of their own: less its brackets they follow the name.
                let inside = fields.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
                if let Some(inside) = inside.filter(|inside| !inside.is_empty()) {
                    write!(line, ",{inside}")?;
                }
                line.push('}');
            }
            line.push(']');
        }
        line.push('}');
        Ok(())
    }

    fn text(
        &self,
        line: &mut String,
        event: &Known<'_>,
        fields: &Fields,
        spans: &[(&str, String)],
    ) -> fmt::Result {
        let (_, priority, colour) = shown(event.level);
        match (self.format, self.colours) {
            // The journal knows the time and takes the level from the prefix.
            (LogFormat::Journald, _) => write!(line, "<{priority}>")?,
            (_, true) => {
                write!(line, "\x1b[2m{}\x1b[0m \x1b[{colour}m{:>5}\x1b[0m ", now(), event.level)?;
            }
            (_, false) => write!(line, "{} {:>5} ", now(), event.level)?,
        }
        write!(line, "{}: ", event.target)?;
        for (name, fields) in spans {
            write!(line, "{name}{{{}}}: ", Shown(fields))?;
        }
        write!(line, "{}{}", Shown(&fields.message), fields.others)?;
        if let Some(id) = event.request_id(fields) {
            write!(line, " request_id={}", Shown(id))?;
        }
        if let Some(context) =
            event.context.filter(|context| context.trace_id() != context.request_id())
        {
            write!(line, " trace_id={}", context.trace_id())?;
        }
        Ok(())
    }
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
