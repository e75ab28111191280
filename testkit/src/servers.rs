//! Throwaway servers on loopback ports: started by tests, gone with them.
//!
//! A server that is missing fails the test with the name of its Debian package.

pub mod ground;
mod postgres;

pub use ground::port;
pub use postgres::Postgres;
