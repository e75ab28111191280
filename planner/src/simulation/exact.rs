//! Every request as an event.

mod fleet;
mod functions;
mod instance;

pub(crate) use fleet::fleet;
pub(crate) use functions::functions;
