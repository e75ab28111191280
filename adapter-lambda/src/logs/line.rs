//! One log line, as text or as the JSON that Lambda's log tools read.

use std::fmt;

use anyhost_core::Context;
use serde_json::{Map, Value};
use tracing::{Event, Level, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::value::Fields;

/// How a line is written.
pub(super) struct Line {
    pub(super) json: bool,
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
        let mut fields = Fields::default();
        event.record(&mut fields);
        // A record of the crate `log` has its target in a field, and further fields that repeat it.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let Fields { message, mut others } = fields;
        if normalized.is_some() {
            others.retain(|name, _| !name.starts_with("log."));
        }
        let current = Context::current();
        // The invocation's id has the same name in the line, whether it comes from the event or from its span.
        let said = others.remove("request_id");
        let id = match (&current, said) {
            (_, Some(Value::String(id))) => Some(id),
            (Some(current), _) => Some(current.request_id().to_owned()),
            (None, _) => None,
        };
        let level = metadata.level();
        let spans: Vec<(&str, String)> = ctx
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
            .map(|span| {
                let extensions = span.extensions();
                let fields = extensions.get::<FormattedFields<N>>();
                (span.name(), fields.map(|fields| fields.fields.clone()).unwrap_or_default())
            })
            .collect();
        if self.json {
            let trace = current.as_ref().and_then(Context::platform_trace);
            let tenant = current.as_ref().and_then(Context::tenant_id);
            let mut line = Map::new();
            let mut now = String::with_capacity(27);
            SystemTime.format_time(&mut Writer::new(&mut now))?;
            line.insert("timestamp".into(), now.into());
            line.insert("level".into(), level.as_str().into());
            line.insert("message".into(), message.into());
            line.insert("target".into(), metadata.target().into());
            line.extend(id.map(|id| ("requestId".into(), id.into())));
            line.extend(trace.map(|trace| ("traceId".into(), trace.into())));
            line.extend(tenant.map(|tenant| ("tenantId".into(), tenant.into())));
            for (name, value) in others {
                line.entry(name).or_insert(value);
            }
            if !spans.is_empty() {
                let spans = spans.into_iter().map(|(name, fields)| {
                    let mut span: Map<String, Value> =
                        serde_json::from_str(&fields).unwrap_or_default();
                    span.insert("name".into(), name.into());
                    Value::Object(span)
                });
                line.insert("spans".into(), spans.collect());
            }
            return writeln!(writer, "{}", Value::Object(line));
        }
        write!(writer, "{level:<5} ", level = Level::as_str(level))?;
        for (name, fields) in spans {
            write!(writer, "{name}{{{fields}}}: ")?;
        }
        write!(writer, "{message}")?;
        for (name, value) in others {
            write!(writer, " {name}={value}")?;
        }
        match id {
            Some(id) => writeln!(writer, " request_id={id}"),
            None => writeln!(writer),
        }
    }
}
