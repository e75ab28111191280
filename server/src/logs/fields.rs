//! The fields of a log event, written as they are read.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};

/// Names that a line has already; a field of that name gets an underscore before it.
const TAKEN: [&str; 7] = ["timestamp", "time", "level", "severity", "target", "trace_id", "spans"];

/// The message of an event, the request it names, and its other fields as they stand in the line.
pub(super) struct Fields {
    json: bool,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
    pub(super) others: String,
}

impl Fields {
    pub(super) fn new(json: bool) -> Self {
        Self { json, message: String::new(), request_id: None, others: String::new() }
    }

    /// A field whose value is the same in text and in JSON.
    fn plain(&mut self, field: &Field, value: impl fmt::Display) {
        if is_of_log(field.name()) {
            return;
        }
        self.name(field.name());
        // Writing to a string cannot fail.
        let _ = write!(self.others, "{value}");
    }

    fn text(&mut self, field: &Field, value: &str) {
        match field.name() {
            name if is_of_log(name) => {}
            "message" => value.clone_into(&mut self.message),
            "request_id" => self.request_id = Some(value.to_owned()),
            name => {
                self.name(name);
                if self.json {
                    json_text(&mut self.others, value);
                } else {
                    let _ = write!(self.others, "{}", Shown(value));
                }
            }
        }
    }

    fn name(&mut self, name: &str) {
        let before = if TAKEN.contains(&name) { "_" } else { "" };
        let _ = if self.json {
            write!(self.others, ",\"{before}{name}\":")
        } else {
            write!(self.others, " {name}=")
        };
    }
}

/// Whether a field is one of those that a record of the crate `log` comes with: its target stands in the line already.
fn is_of_log(name: &str) -> bool {
    name.starts_with("log.")
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, &value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.plain(field, value);
        } else {
            // JSON has no such number.
            self.text(field, &value.to_string());
        }
    }
}

/// Writes text as a JSON string.
pub(super) fn json_text(to: &mut String, text: &str) {
    // A string is always JSON.
    to.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Text on one line, without what a terminal would obey.
pub(super) struct Shown<'t>(pub(super) &'t str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}
