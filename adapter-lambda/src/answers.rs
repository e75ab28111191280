//! Converts a response into the JSON or the stream that the source of the event expects.

mod buffered;
mod headers;
mod json;
mod shape;
mod streamed;

pub(crate) use buffered::{TooLarge, buffered};
pub(crate) use shape::Shape;
pub(crate) use streamed::{CONTENT_TYPE, StreamedAnswer};
