//! Throwaway databases: a file of SQLite, or a new database on a PostgreSQL of the test.

use std::fmt;

use tempfile::TempDir;

use crate::servers::Postgres;

/// A database that is deleted when its last owner is dropped.
pub(crate) struct Database {
    url: String,
    _folder: Option<TempDir>,
}

impl Database {
    /// A new file.
    pub(crate) fn sqlite() -> Self {
        let folder = TempDir::with_prefix("anyhost-test-").expect("a temporary folder can be made");
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("test.db").display());
        Self { url, _folder: Some(folder) }
    }

    /// A new database on the server that this process of tests shares.
    pub(crate) fn postgres() -> Self {
        Self { url: Postgres::shared().database(), _folder: None }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.url).finish()
    }
}
