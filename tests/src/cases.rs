//! The cases: one list, each named by the rule it states.
//!
//! A case sends requests through a door and says what the App must see and what the client must get. It
//! names what it needs of a door; everything else holds for every door.

mod body_in;
mod body_out;
mod canonical;
mod connection;
mod context;
mod cookies;
mod errors;
mod framing;
mod headers;
mod method;
mod notes;
mod path;
mod query;

use crate::capabilities::Capability;
use crate::doors::{Door, Example};
use crate::wire::{EchoAnswer as _, Request, Response, SeenRequest};

/// A rule, with its test.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The subject of the rule.
    pub group: &'static str,
    /// The rule, its words joined by underscores.
    pub name: &'static str,
    /// The App that the rule is tested with.
    pub example: Example,
    /// The capabilities that the test needs of a door.
    pub needs: &'static [Capability],
    /// The test, which panics if the rule does not hold.
    pub check: fn(&dyn Door),
}

impl Case {
    /// The rule as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// All cases, in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [
        canonical::CASES,
        method::CASES,
        path::CASES,
        query::CASES,
        headers::CASES,
        cookies::CASES,
        body_in::CASES,
        body_out::CASES,
        errors::CASES,
        context::CASES,
        connection::CASES,
        framing::CASES,
        notes::CASES,
    ]
    .into_iter()
    .flatten()
}

/// Writes the list of a group: rules as functions of a door, each with what it needs. They are about the
/// echo unless they name another example.
macro_rules! cases {
    ($group:literal; $($rest:tt)+) => {
        cases! { Echo $group; $($rest)+ }
    };
    ($example:ident $group:literal; $(fn $name:ident($door:ident) $([$($need:ident),+])? $check:block)+) => {
        pub(super) static CASES: &[crate::cases::Case] = &[$(crate::cases::Case {
            group: $group,
            name: stringify!($name),
            example: crate::doors::Example::$example,
            needs: &[$($(crate::capabilities::Capability::$need),+)?],
            check: |$door: &dyn crate::doors::Door| $check,
        }),+];
    };
}
use cases;

/// Sends a request that must be answered.
#[track_caller]
fn ask(door: &dyn Door, request: &Request) -> Response {
    match door.send(request) {
        Ok(response) => response,
        Err(error) => panic!("{error}\nto {request:?}\nlog: {}", tail(&door.log())),
    }
}

/// Sends a request and returns what the App received.
#[track_caller]
fn seen(door: &dyn Door, request: &Request) -> SeenRequest {
    ask(door, request).seen()
}

/// Fails unless the door still answers: no case may leave it broken.
#[track_caller]
fn still_answers(door: &dyn Door) {
    assert_eq!(seen(door, &crate::wire::get("/next")).path, "/next");
}

fn tail(log: &str) -> &str {
    let start = log.len().saturating_sub(1500);
    let start = (start..=log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or_default();
    &log[start..]
}
