//! Databases in memory (SQLite) live as long as a connection to them is open: the host keeps one open for each.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::ConnectOptions;
use tokio::sync::Mutex;

use super::Error;
use super::driver::{Driver, Options};
use super::settings::DatabaseUrl;

/// The databases in memory of one host: its Apps and its migrations see the same ones, other hosts of the process do
/// not.
pub(crate) struct Memory {
    /// Tells the hosts of one process apart.
    host: u64,
    /// Whether a database whose file does not exist is opened in memory, so that the verb `check` creates no file.
    creates_no_files: AtomicBool,
    /// A connection to each database, which only keeps it alive.
    connections: Mutex<BTreeMap<String, Box<dyn Any + Send>>>,
}

impl Memory {
    /// From now on a database whose file does not exist yet is opened in memory.
    pub(crate) fn create_no_files(&self) {
        self.creates_no_files.store(true, Ordering::Relaxed);
    }

    /// The name under which the connections of this host share the database of a URL, if it is one in memory.
    pub(super) fn name(&self, url: &DatabaseUrl) -> Option<String> {
        let name = url.memory().or_else(|| {
            let file = url.missing_file().filter(|_| self.creates_no_files.load(Ordering::Relaxed));
            let file = file.filter(|file| could_be_created(file))?;
            Some(file.to_string_lossy().replace(|sign: char| !sign.is_alphanumeric(), "-"))
        })?;
        Some(format!("file:anyhost-{}-{name}", self.host))
    }

    /// Keeps the database of this name until the host ends.
    pub(super) async fn keep<DB: Driver>(
        &self,
        name: Option<&str>,
        options: &Options<DB>,
    ) -> Result<(), Error> {
        let Some(name) = name else { return Ok(()) };
        let mut connections = self.connections.lock().await;
        if !connections.contains_key(name) {
            let connection = options.connect().await.map_err(Error::Query)?;
            connections.insert(name.to_owned(), Box::new(connection));
        }
        Ok(())
    }
}

/// Whether a file could be created in its folder; if not, opening the real one returns the reason.
fn could_be_created(file: &Path) -> bool {
    let beside = file.with_added_extension("check");
    let created = File::create_new(&beside).is_ok();
    created && std::fs::remove_file(beside).is_ok()
}

impl Default for Memory {
    fn default() -> Self {
        static HOSTS: AtomicU64 = AtomicU64::new(0);
        Self {
            host: HOSTS.fetch_add(1, Ordering::Relaxed),
            creates_no_files: AtomicBool::default(),
            connections: Mutex::default(),
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("host", &self.host).finish_non_exhaustive()
    }
}
