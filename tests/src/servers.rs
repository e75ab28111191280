//! Throwaway servers on loopback ports: started by tests, gone with them.
//!
//! A server that is missing fails the test with the name of its Debian package: nothing is skipped.

mod ground;
mod postgres;

pub use postgres::Postgres;

