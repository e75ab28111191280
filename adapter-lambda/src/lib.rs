#![doc = include_str!("../README.md")]

mod answers;
mod environment;
mod events;
mod invoke;
mod life;
mod logs;
mod run;
mod runtime_api;

pub use run::run;
