//! The released programs against third-party parts: AWS's own emulator of the Runtime API, SAM's
//! API Gateway, `cargo lambda watch`, the linters of templates, and events that others have collected.
//!
//! `tests/platforms/install` brings the parts into `.platforms`; the programs are the zips that the build
//! command of the READMEs makes, unpacked as Lambda unpacks them.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod artefact;
mod browser;
mod emulator;
mod events;
mod gateway;
mod install;
mod notes;
mod watch;

mod api_gateway;
mod deployment;
mod environment;
mod fixtures;
mod function_url;
mod managed_instances;
