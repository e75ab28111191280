//! Throwaway servers on loopback ports: started by tests, gone with them.
//!
//! A server that is missing fails the test with the name of its Debian package: nothing is skipped.

mod certificates;
mod ground;
mod haproxy;
mod mariadb;
mod nginx;
mod pgbouncer;
mod postgres;
mod proxy;

pub use certificates::Certificates;
pub use ground::port;
pub use haproxy::Haproxy;
pub use mariadb::MariaDb;
pub use nginx::Nginx;
pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use proxy::{Mode, Proxy};
