//! Throwaway servers on loopback ports: started by tests, gone with them.
//!
//! A server that is missing fails the test with the name of its Debian package: nothing is skipped.

mod certificates;
mod haproxy;
mod mariadb;
mod nginx;
mod pgbouncer;
mod proxy;

use anyhost_test::servers::ground;
pub use anyhost_test::servers::{Postgres, port};
pub use certificates::Certificates;
pub use haproxy::Haproxy;
pub use mariadb::MariaDb;
pub use nginx::Nginx;
pub use pgbouncer::PgBouncer;
pub use proxy::{Mode, Proxy};
