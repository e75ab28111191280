//! Everything in `examples/notes/deploy`, by the tools of its platforms: linters, a container engine, a Procfile
//! runner, and a systemd that boots.
//!
//! `tests/platforms/install-deployments` brings the tools.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod booted;
mod container;
mod image;
mod linters;
mod machine;
mod numbers;
mod openapi;
mod pod;
mod procfile;
mod proxies;
mod readme;
mod tool;
mod units;
