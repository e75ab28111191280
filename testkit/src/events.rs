//! Lambda's events: converts a client's request into the event of an AWS front end, and the function's answer into
//! the client's response.
//!
//! What AWS delivers for each source is from captures of live events; what it does with an answer is from
//! its documentation. A front end here corrects nothing that the real one does not.

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
    /// The facts about every request through it.
    fn facts(&self) -> Facts;

    /// The event for a request, as JSON.
    fn event(&self, request: &Request) -> String;

    /// What the client gets for a function's answer.
    ///
    /// # Errors
    /// The part of the answer that the front end would reject with 502.
    fn answer(&self, answer: &[u8]) -> Result<Response, String>;
}
