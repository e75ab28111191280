//! What a connection waits for, and for how long.

use std::time::{Duration, Instant};

use super::Conn;
use crate::Config;

/// How long the answer to a client may take that has closed its sending side. Some close only that side
/// and wait for the answer; most are gone for good, and their requests must not run on.
const HALF_CLOSED: Duration = Duration::from_millis(500);

/// How long a connection without a request is kept once the server closes: its first request may be on
/// the way, and a client does not expect to lose that one.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// How long an idle connection is kept once the server closes: long enough to learn of a request that the
/// kernel has received already.
const LAST_LOOK: Duration = Duration::from_millis(5);

/// How long a client of HTTP/2 has to answer that it knows of the end: what it sent before it knew is
/// still served.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a connection waits for besides an event.
pub(in crate::connection) enum Verdict {
    /// For nothing: there is no deadline.
    Wait,
    /// Until this moment; then it ends.
    CloseAt(Instant),
    /// Until this moment; then the client is told that its head did not come, and it ends.
    GiveUpAt(Instant),
}

impl Conn {
    /// What this connection waits for now, after its dispatcher has done all it can.
    pub(in crate::connection) fn verdict(&self, config: &Config) -> Verdict {
        if let Some(since) = self.stuck_since.get() {
            return Verdict::CloseAt(since + config.send_timeout);
        }
        if self.http2.get() {
            return self.verdict_of_http2(config);
        }
        if self.busy() {
            return match self.gone_since.get() {
                Some(since) => Verdict::CloseAt(since + HALF_CLOSED),
                None => Verdict::Wait,
            };
        }
        if self.heard.get() && !self.refuses() {
            let since = self.head_since.get().unwrap_or_else(Instant::now);
            self.head_since.set(Some(since));
            let end = since + config.header_timeout;
            return if self.timed_out() { Verdict::CloseAt(end) } else { Verdict::GiveUpAt(end) };
        }
        let first = self.seen.get() == 0;
        Verdict::CloseAt(match self.closing.get() {
            Some(since) if first => since + FIRST_REQUEST,
            Some(since) => since.max(self.idle_since.get()) + LAST_LOOK,
            None if first => self.opened + config.header_timeout,
            None => self.idle_since.get() + config.keep_alive,
        })
    }

    /// The same for HTTP/2, whose streams keep their own time: here is that of heads and of idleness.
    fn verdict_of_http2(&self, config: &Config) -> Verdict {
        if let Some(since) = self.head_since.get() {
            return Verdict::CloseAt(since + config.header_timeout);
        }
        if self.busy() {
            return Verdict::Wait;
        }
        match self.closing.get() {
            Some(since) => Verdict::CloseAt(since.max(self.idle_since.get()) + GOODBYE),
            None if self.seen.get() == 0 => Verdict::CloseAt(self.opened + config.header_timeout),
            None => Verdict::GiveUpAt(self.idle_since.get() + config.keep_alive),
        }
    }
}
