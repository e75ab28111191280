//! Requests and responses as a client sees them: bytes, before any host has touched them.

mod request;
mod response;
mod seen;

pub use request::{Request, delete, get, head, patch, post, put, request};
pub use response::{Ending, Response};
pub use seen::{Seen, pairs};
