//! Every request is an event.

mod database;
mod events;
mod fleet;
mod functions;
mod instance;
mod requests;

pub(crate) use fleet::fleet;
pub(crate) use functions::functions;
