//! The connection strategy on real servers: what a pool of database connections must survive.
//!
//! README.md in this folder says which rule is shown by which test.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, its helpers too")]

mod access;
mod addresses;
mod admission;
mod age;
mod answers;
mod budget;
mod closing;
mod crew;
mod dirt;
mod drivers;
mod files;
mod freeze;
mod kit;
mod logins;
mod migrations;
mod passwords;
mod poolers;
mod queue;
mod schema;
mod sessions;
mod silence;
mod stats;
mod storm;
mod table;
mod tls;
mod transactions;
mod trouble;
mod workers;
