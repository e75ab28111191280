//! Lambda's events: a client's request as the event that an AWS front end makes of it, and the function's answer as
//! the client gets it.
//!
//! What AWS delivers for each source is from captures of live events; what it does with an answer is from
//! its documentation. A front end here does no more than the real one: it never repairs.

mod alb;
mod answer;
mod front;
mod http_api;
mod json;
mod lattice;
mod rest_api;

pub use alb::{AlbMulti, AlbSingle};
pub use front::pairs;
pub use http_api::{FunctionUrl, HttpV1, HttpV2};
pub use lattice::Lattice;
pub use rest_api::RestV1;

use crate::{Facts, Request, Response};

/// A source of events: one of AWS's front ends.
pub trait Source: Send + Sync {
    /// What every request through it comes with.
    fn facts(&self) -> Facts;

    /// The event for a request, as JSON.
    fn event(&self, request: &Request) -> String;

    /// What the client gets for a function's answer.
    ///
    /// # Errors
    /// What the front end would not understand: its client would get 502.
    fn answer(&self, answer: &[u8]) -> Result<Response, String>;
}
