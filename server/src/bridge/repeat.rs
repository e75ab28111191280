//! The headers of the last request of a connection, for the next one: mostly they are the same.
//!
//! A client that keeps its connection says who it is and what it accepts with every request. What was
//! checked and copied for one request is taken again for the next, where its header lines are the same
//! bytes.

use http::{HeaderMap, Uri};

use crate::trust::Caller;

/// The last headers of one connection, once they have come twice.
#[derive(Debug, Default)]
pub(crate) struct Repeat {
    /// The number by which the connection knows the header lines.
    lines: Option<u64>,
    kept: Option<(HeaderMap, Caller)>,
    /// The target that came last with headers that were kept.
    target: Option<Uri>,
}

/// A target that is longer than this is not kept.
const LONGEST_TARGET: usize = 256;

impl Repeat {
    /// The headers and the caller that were made of these header lines.
    pub(super) fn recall(&self, lines: Option<u64>) -> Option<(HeaderMap, Caller)> {
        if lines.is_none() || lines != self.lines {
            return None;
        }
        self.kept.clone()
    }

    /// The target that was made of this path and query.
    pub(super) fn recall_target(&self, path: &str) -> Option<Uri> {
        let kept = self.target.as_ref()?;
        (kept.path_and_query()?.as_str() == path).then(|| kept.clone())
    }

    /// Keeps a target, where headers are kept already.
    pub(super) fn remember_target(&mut self, target: &Uri) {
        let short = target.path_and_query().is_some_and(|it| it.as_str().len() <= LONGEST_TARGET);
        self.target = (short && self.kept.is_some()).then(|| target.clone());
    }

    /// Keeps what was made of these header lines, where they have come before: a client that asks once,
    /// or each time with other headers, leaves nothing behind.
    pub(super) fn remember(&mut self, lines: Option<u64>, headers: &HeaderMap, caller: &Caller) {
        let again = lines.is_some() && lines == self.lines;
        self.lines = lines;
        self.kept = again.then(|| (headers.clone(), caller.clone()));
    }
}
