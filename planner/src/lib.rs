#![doc = include_str!("../README.md")]

pub mod break_even;
mod command;
pub mod comparison;
pub mod connections;
pub mod cost;
pub mod manifests;
pub mod model;
mod random;
pub mod report;
pub mod simulation;
mod text;
pub mod theory;
pub mod traffic;
pub mod verdict;
pub mod workload;

pub use command::main;
pub use random::Random;
