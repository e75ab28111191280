//! Bodies in both directions: whole if they are, else a chunk at a time under backpressure.

mod incoming;
mod outgoing;

pub(crate) use incoming::payload_of;
pub(crate) use outgoing::{Rest, body_of};
