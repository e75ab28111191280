//! The connection strategy on real servers: what a pool of database connections must survive.
//!
//! README.md in this folder says which rule is shown by which test.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, its helpers too")]

mod access;
mod addresses;
mod admission;
mod age;
mod answers;
mod any;
mod balanced;
mod budget;
mod chance;
mod closing;
mod dirt;
mod drivers;
mod endings;
mod files;
mod freeze;
mod kit;
mod limits;
mod logins;
mod migration_sessions;
mod migrations;
mod opened_files;
mod orm;
mod passwords;
mod poolers;
mod queue;
mod readiness;
mod readonly;
mod rows;
mod schema;
mod sessions;
mod several;
mod silence;
mod stale;
mod stats;
mod storm;
mod table;
mod tls;
mod transactions;
mod trouble;
