//! Every request is an event.

mod database;
mod fleet;
mod functions;
mod instance;
mod requests;

pub(crate) use fleet::fleet;
pub(crate) use functions::functions;
