//! Requests and responses as a client sees them, and what the echo says that it saw.

mod seen;

pub use anyhost_test::events::pairs;
pub use anyhost_test::{Ending, Request, Response, delete, get, head, patch, post, put, request};
pub use seen::{EchoAnswer, SeenRequest};
