#![doc = include_str!("../README.md")]

mod answers;
mod environment;
mod events;
mod invoke;
mod lifecycle;
mod logs;
mod request_of;
mod run;
mod runtime_api;

pub use request_of::{EventError, answer_event, request_of};
pub use run::{launch, run, serve};
