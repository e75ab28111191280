//! The database server that all contenders share: thrown away after the run.

use std::fs;

use anyhost_tests::servers::Postgres;

use crate::process;

/// Checkpointer, background writer, WAL writer, autovacuum launcher and logical replication launcher.
const OWN_PROCESSES: usize = 5;

/// A PostgreSQL server with a thousand notes.
#[derive(Debug)]
pub struct Database {
    server: Postgres,
}

impl Database {
    /// Starts it.
    ///
    /// # Errors
    /// If the server does not say which process it is.
    pub fn start() -> Result<Self, String> {
        Self::with(&["max_connections=200", "shared_buffers=64MB"])
    }

    /// Starts it with these settings: `"max_connections=100"`.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn with(settings: &[&str]) -> Result<Self, String> {
        let database = Self::bare(settings)?;
        let server = database.server();
        server.sql(
            "CREATE TABLE notes (id bigint PRIMARY KEY, title text NOT NULL, body text NOT NULL); \
             INSERT INTO notes SELECT n, 'Note ' || n, repeat('text ', 20) FROM generate_series(1, 1000) n",
        );
        server.sql("VACUUM ANALYZE notes");
        Ok(database)
    }

    /// Starts it without a table.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn bare(settings: &[&str]) -> Result<Self, String> {
        let database = Self { server: Postgres::start_as_service(settings) };
        database.postmaster().ok_or("the server does not say which process it is")?;
        Ok(database)
    }

    /// The URL of the database with the notes.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The server itself.
    #[must_use]
    pub fn server(&self) -> &Postgres {
        &self.server
    }

    /// The processor time that its connections have used, including closed ones, in seconds.
    #[must_use]
    pub fn cpu(&self) -> f64 {
        self.postmaster().map_or(0.0, process::cpu_of_children)
    }

    /// The number of the server's processes for clients at present. It includes clients that are being refused, so it
    /// may be larger than `max_connections`.
    #[must_use]
    pub fn connections(&self) -> usize {
        let all = self.postmaster().map(process::children).unwrap_or_default();
        all.len().saturating_sub(OWN_PROCESSES)
    }

    /// The process id of the server's main process, which the server reports.
    fn postmaster(&self) -> Option<u32> {
        let file = fs::read_to_string(self.server.data().join("postmaster.pid")).ok()?;
        file.lines().next()?.parse().ok()
    }
}
