//! The ways in which a Runtime API may fail.

use std::time::Duration;

/// A part of the API that can be told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `GET /runtime/invocation/next`.
    Next,
    /// `POST /runtime/invocation/{id}/response`.
    Response,
    /// `POST /runtime/invocation/{id}/error`.
    Error,
    /// `POST /runtime/init/error`.
    InitError,
    /// `POST /extension/register`.
    Register,
    /// `GET /extension/event/next`.
    ExtensionNext,
}

/// One way to fail one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status and no more; an event that waits is handed out by a later request.
    Status(u16),
    /// The connection is closed without an answer.
    Drop,
    /// The request is carried out, and then the connection is closed without an answer.
    DropAfter,
    /// An event is handed out without this header.
    Without(&'static str),
    /// An event is handed out with this header instead of its own.
    Header(&'static str, &'static str),
    /// An event is handed out, and its second half never comes.
    Truncate,
    /// The request is carried out this much later.
    Delay(Duration),
}
