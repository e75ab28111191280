//! From a response to an answer in the shape that the source of the event understands.

mod buffered;
mod headers;
mod json;
mod shape;
mod streamed;

pub(crate) use buffered::{TooLarge, buffered};
pub(crate) use shape::Shape;
pub(crate) use streamed::{CONTENT_TYPE, Streamed};
