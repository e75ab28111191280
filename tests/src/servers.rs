//! Throwaway servers on loopback ports: started by tests, gone with them.
//!
//! A server that is missing fails the test with the name of its Debian package: nothing is skipped.

mod ground;
mod mariadb;
mod pgbouncer;
mod postgres;
mod proxy;

pub use mariadb::MariaDb;
pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use proxy::{Mode, Proxy};
