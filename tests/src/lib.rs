//! The conformance suite, and the parts that tests of whole processes need.
//!
//! The suite is one list of cases ([`cases`]), each named by the rule it states, and one list of doors
//! ([`doors`]), each a way a request comes in. Every case goes through every door; what a door cannot
//! carry is one written list ([`capabilities`]), counted by a test. A new adapter adds a door, a bug
//! found anywhere adds a case.

#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "this crate is called by tests alone, and a test fails by a panic"
)]

pub mod capabilities;
pub mod cases;
pub mod connection;
pub mod doors;
pub mod fleet;
pub mod load;
pub mod process;
pub mod runtime_api;
pub mod servers;
pub mod skip;
pub mod suite;
pub mod wait;
pub mod wire;
