#![doc = include_str!("../README.md")]

pub mod answer;
pub mod bill;
mod command;
pub mod connections;
pub mod hosts;
pub mod manifests;
mod random;
pub mod report;
pub mod search;
pub mod simulation;
pub mod sources;
mod text;
pub mod theory;
pub mod traffic;
pub mod workload;

pub use command::main;
pub use random::Random;
