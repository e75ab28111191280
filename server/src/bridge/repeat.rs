//! The headers of the last request of a connection, for the next one: mostly they are the same.
//!
//! A client that keeps its connection says who it is and what it accepts with every request. What was
//! checked and copied for one request is taken again for the next, where its header lines are the same
//! bytes.

use http::HeaderMap;

use crate::trust::Caller;

/// The last headers of one connection, once they have come twice.
#[derive(Debug, Default)]
pub(crate) struct Repeat {
    /// The number by which the connection knows the header lines.
    lines: Option<u64>,
    kept: Option<(HeaderMap, Caller)>,
}

impl Repeat {
    /// The headers and the caller that were made of these header lines.
    pub(super) fn recall(&self, lines: Option<u64>) -> Option<(HeaderMap, Caller)> {
        if lines.is_none() || lines != self.lines {
            return None;
        }
        self.kept.clone()
    }

    /// Keeps what was made of these header lines, where they have come before: a client that asks once,
    /// or each time with other headers, leaves nothing behind.
    pub(super) fn remember(&mut self, lines: Option<u64>, headers: &HeaderMap, caller: &Caller) {
        let again = lines.is_some() && lines == self.lines;
        self.lines = lines;
        self.kept = again.then(|| (headers.clone(), caller.clone()));
    }
}
