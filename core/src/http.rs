//! The vocabulary of requests and responses.

mod body;
mod context;
mod wire;

pub use body::{Body, BodyError, DEFAULT_MAX_BODY};
pub use context::{Context, Scheme};
pub use wire::{is_hop_by_hop, refuse_websocket, strip_hop_by_hop};

/// A request as an App gets it: the target and the headers as the client sent them, a [`Body`], and a
/// [`Context`] in the extensions.
pub type Request = http::Request<Body>;

/// A response as an App gives it.
pub type Response = http::Response<Body>;
