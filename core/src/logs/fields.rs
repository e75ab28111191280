//! The fields of a log event.

use std::fmt::{self, Write as _};

use serde_json::{Number, Value};
use tracing::field::{Field, Visit};

use crate::Context;

/// The message of an event, the request it names, and its other fields.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) message: String,
    request_id: Option<String>,
    pub(super) others: Vec<(&'static str, Value)>,
}

impl Fields {
    /// An event that names its request knows better than the place it was written in.
    pub(super) fn request_id<'r>(&'r self, context: Option<&'r Context>) -> Option<&'r str> {
        self.request_id.as_deref().or(context.map(Context::request_id))
    }

    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        match (field.name(), value.into()) {
            // Of a record of the crate `log`: its target stands in the line already.
            (name, _) if name.starts_with("log.") => {}
            ("message", Value::String(text)) => self.message = text,
            ("request_id", Value::String(text)) => self.request_id = Some(text),
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no number for what is not finite.
        let number = Number::from_f64(value).map(Value::Number);
        self.add(field, number.unwrap_or_else(|| value.to_string().into()));
    }
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
