//! Bodies of requests and responses: in one piece if they are complete, else in chunks under backpressure.

mod incoming;
mod outgoing;

pub(crate) use incoming::payload_of;
pub(crate) use outgoing::{Rest, body_of};
