//! The server or file that connections go to, as errors name it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::db::settings::{DatabaseUrl, Pooler};

/// The server or file that connections are opened to, and the settings that say so.
#[derive(Clone, Debug)]
pub(in crate::db) struct Site {
    /// `host:port/name`, for SQLite the path of the file. Nothing of it is secret.
    pub(super) place: String,
    /// The variable that holds the URL.
    pub(super) variable: Cow<'static, str>,
    pub(super) pooler: Pooler,
    /// The prefix of its settings' names: empty for the first database.
    pub(super) prefix: Arc<str>,
    /// Whether the URL sends settings to the server when connecting, which a pooler may refuse.
    pub(super) has_options: bool,
}

impl Site {
    pub(in crate::db) fn of(url: &DatabaseUrl, pooler: Pooler) -> Self {
        Self {
            place: url.place(),
            variable: url.variable().clone(),
            pooler,
            prefix: url.prefix().into(),
            has_options: url.has_options(),
        }
    }

    /// The name that one of the settings has for this database.
    pub(in crate::db) fn variable_of(&self, setting: &str) -> String {
        format!("{}{setting}", self.prefix)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, variable, .. } = self;
        write!(f, "{place} ({variable})")
    }
}
