//! A note.

use anyhost::Error;
use serde::Serialize;
use sqlx::FromRow;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A note, as it is stored and as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, Serialize)]
pub(crate) struct Note {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) body: String,
    /// RFC 3339, in UTC.
    pub(crate) created_at: String,
    /// RFC 3339, in UTC.
    pub(crate) updated_at: String,
}

/// The current time as notes carry it.
pub(crate) fn now() -> Result<String, Error> {
    Ok(OffsetDateTime::now_utc().format(&Rfc3339)?)
}
