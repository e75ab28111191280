#![doc = include_str!("../README.md")]

mod actix;
mod application;
mod body;
mod boxed;
mod caller;
mod problem;
mod queue;
mod request;
mod response;
mod threads;

pub use actix::Actix;
pub use application::Application;
pub use boxed::BoxedApp;
pub use problem::Problem;
