//! The connection strategy on real servers: what a pool of database connections must survive.
//!
//! README.md in this folder says which rule is shown by which test.

mod budget;
mod dirt;
mod drivers;
mod freeze;
mod kit;
mod passwords;
mod poolers;
mod queue;
mod schema;
mod storm;
mod table;
mod trouble;
