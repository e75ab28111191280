//! The vocabulary of requests and responses.

mod arrival;
mod body;
mod context;
mod current;
mod fault;
mod wire;

pub use arrival::{Arrival, Caller, Refusal};
pub(crate) use body::DEFAULT_MAX_BODY;
pub use body::{Body, BodyError};
pub use context::{Context, Scheme};
pub(crate) use current::Current;
pub(crate) use wire::strip_hop_by_hop;
pub use wire::{is_hop_by_hop, is_host};

/// A request as an App gets it: the target and the headers as the client sent them, a [`Body`], and a
/// [`Context`] in the extensions.
pub type Request = http::Request<Body>;

/// A response as an App gives it.
pub type Response = http::Response<Body>;
