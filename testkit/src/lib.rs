#![doc = include_str!("../README.md")]
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "this crate is called by tests alone, and a test fails by a panic"
)]

mod capability;
mod client;
mod conformance;
mod database;
mod difference;
mod door;
mod doors;
pub mod events;
mod host;
pub mod http1;
pub mod http2;
pub mod process;
mod request;
mod response;
mod running;
pub mod servers;

pub use capability::{Capability, Lack};
pub use client::Client;
pub use conformance::Conformance;
pub use difference::Difference;
pub use door::{Door, Facts};
pub use doors::DoorKind;
pub use host::TestHost;
pub use request::{Request, delete, get, head, patch, post, put, request};
pub use response::{Ending, Response};
pub use running::{HeldConnections, Running, StopReport};
