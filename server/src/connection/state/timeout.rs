//! What a connection waits for, and for how long.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Connection, Progress};
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

/// How long a client may take to notice that a response came before its request was read to the end.
const LINGER: Duration = Duration::from_secs(2);

/// How long a connection waits for the next event.
#[derive(Clone, Copy, Debug)]
pub(in crate::connection) enum Timeout {
    Never,
    /// Until this moment; then the connection ends.
    CloseAt(Instant),
    /// Until this moment; then the client is told that its time is over.
    GiveUpAt(Instant),
}

/// A client that does not take what is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocked {
    begun: Instant,
    /// When it last took something.
    since: Instant,
    /// Bytes that it took since the beginning.
    taken: u64,
}

impl Connection {
    /// The client did not take what was written.
    pub(in crate::connection) fn blocked(&self) {
        let now = Instant::now();
        let blocked = Blocked { begun: now, since: now, taken: 0 };
        self.progress().blocked.get_or_insert(blocked);
    }

    /// The client took so many bytes, having been blocked before.
    pub(in crate::connection) fn took(&self, bytes: usize) {
        if let Some(blocked) = &mut self.progress().blocked {
            blocked.since = Instant::now();
            blocked.taken += bytes as u64;
        }
    }

    /// The client has taken everything.
    pub(in crate::connection) fn caught_up(&self) {
        self.progress().blocked = None;
    }

    /// Returns how long this connection waits now, after its task has done all it can.
    pub(in crate::connection) fn timeout(&self, config: &Config) -> Timeout {
        let progress = self.progress();
        let Progress { seen, idle_since, closing_since, .. } = *progress;
        let busy = progress.active > 0;
        if let Some(Blocked { begun, since, taken }) = progress.blocked {
            let slow = config.min_body_rate.patience(taken).map(|slow| begun + slow);
            let end = since + config.send_timeout;
            return Timeout::CloseAt(slow.map_or(end, |slow| slow.min(end)));
        }
        if let Some(since) = progress.lingers_since {
            return Timeout::CloseAt(since + LINGER);
        }
        if self.is_upgraded() {
            return Timeout::Never;
        }
        if self.http2.load(Ordering::Relaxed) {
            return match closing_since {
                _ if busy => Timeout::Never,
                Some(since) => Timeout::CloseAt(since.max(idle_since) + GOODBYE),
                None if !seen => Timeout::CloseAt(idle_since + config.header_timeout),
                None => Timeout::GiveUpAt(idle_since + config.keep_alive),
            };
        }
        if busy {
            let half_closed = progress.half_closed_since;
            return half_closed
                .map_or(Timeout::Never, |since| Timeout::CloseAt(since + HALF_CLOSED));
        }
        if let Some(since) = progress.head_since {
            let end = since + config.header_timeout;
            return if self.timed_out() { Timeout::CloseAt(end) } else { Timeout::GiveUpAt(end) };
        }
        Timeout::CloseAt(match closing_since {
            Some(since) if !seen => since + FIRST_REQUEST,
            Some(since) => since.max(idle_since) + LAST_LOOK,
            None if !seen => idle_since + config.header_timeout,
            None => idle_since + config.keep_alive,
        })
    }
}
