//! Where requests begin and end in the bytes of an HTTP/1.1 connection.
//!
//! hyper is shown one request at a time, and none that two servers could read differently: it takes a bare line feed
//! for the end of a line and a length beside chunks, as RFC 9112 allows, and a proxy that does not would see other
//! requests than we do. Knowing where a request ends also tells when a client is gone although it sent more.

mod chunks;
mod head;

use chunks::Chunks;
use head::{Head, Progress};

/// Follows the bytes of one connection from request to request.
#[derive(Debug, Default)]
pub(super) struct Messages {
    state: State,
    /// The target of the last head was an absolute one without a path.
    pub(super) whole_server: bool,
}

#[derive(Debug)]
enum State {
    /// The head of a request, or the empty lines before it.
    Head(Head),
    /// Bytes of a body with a length that are to come.
    Body(u64),
    Chunks(Chunks),
    /// A request is complete: what follows is the next one.
    Complete,
    /// Nothing that follows is a request.
    Invalid(Invalid),
}

/// Why nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) why: &'static str,
    /// It is the head that is refused, and not the body.
    pub(super) in_head: bool,
}

impl Default for State {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

impl State {
    fn invalid_head(why: &'static str) -> Self {
        Self::Invalid(Invalid { why, in_head: true })
    }
}

/// What to do with bytes that have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// The first so many bytes are dropped: empty lines between requests.
    pub(super) skip: usize,
    /// So many bytes belong to the request that is being read.
    pub(super) take: usize,
}

impl Messages {
    /// Reads bytes of at most one request. A head that is refused is changed so that hyper refuses it with 400.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> Step {
        let mut step = Step::default();
        while step.skip + step.take < bytes.len() {
            let rest = &mut bytes[step.skip + step.take..];
            match &mut self.state {
                State::Head(head) if head.is_at_start() && matches!(rest[0], b'\r' | b'\n') => {
                    // RFC 9112 §2.2: empty lines before a request are ignored. They end as all lines do.
                    if !head.skip_empty_line(rest[0]) {
                        rest[0] = 0;
                        self.state = State::invalid_head("a bare line feed");
                        step.take += 1;
                        return step;
                    }
                    step.skip += 1;
                }
                State::Head(head) => {
                    let (read, progress) = head.read(rest);
                    step.take += read;
                    match progress {
                        Progress::Partial => {}
                        Progress::Complete(end) => {
                            self.whole_server = end.whole_server;
                            self.state = match (end.chunked, end.length) {
                                (true, _) => State::Chunks(Chunks::default()),
                                (false, None | Some(0)) => State::Complete,
                                (false, Some(length)) => State::Body(length),
                            };
                        }
                        // hyper refuses the line that was changed; the rest of the head must not reach it.
                        Progress::Invalid(why) => {
                            self.state = State::invalid_head(why);
                            return step;
                        }
                    }
                }
                State::Body(left) => {
                    let now = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= now as u64;
                    if *left == 0 {
                        self.state = State::Complete;
                    }
                    step.take += now;
                }
                State::Chunks(chunks) => {
                    let (read, outcome) = chunks.read(rest);
                    step.take += read;
                    match outcome {
                        Ok(false) => {}
                        Ok(true) => self.state = State::Complete,
                        Err(why) => {
                            self.state = State::Invalid(Invalid { why, in_head: false });
                            return step;
                        }
                    }
                }
                State::Complete | State::Invalid(_) => return step,
            }
        }
        step
    }

    /// Whether a request is complete, so that what follows is the next one.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    /// Goes on to the next request.
    pub(super) fn next(&mut self) {
        self.state = State::default();
    }

    /// Whether the head of a request has begun and is not complete.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(&self.state, State::Head(head) if !head.is_at_start())
    }

    /// Why nothing more can be read.
    pub(super) fn invalid(&self) -> Option<Invalid> {
        match self.state {
            State::Invalid(invalid) => Some(invalid),
            _ => None,
        }
    }

    /// Whether every request that has begun is complete.
    pub(super) fn is_between_requests(&self) -> bool {
        match &self.state {
            State::Head(head) => head.is_at_start(),
            State::Complete => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
