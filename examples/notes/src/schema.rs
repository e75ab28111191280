//! The schema, as migrations that travel in the binary.

use sqlx::migrate::Migrator;

pub(crate) static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
pub(crate) static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
