//! What is known about one connection, shared by its socket, its driver and its requests.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use anyhost_core::{InFlight, Scheme};

use super::framing::Heads;
use crate::Config;
use crate::bridge::Repeat;

/// How long the answer to a client may take that has closed its sending side. Some close only that side
/// and wait for the answer; most are gone for good, and their requests must not run on.
const HALF_CLOSED: Duration = Duration::from_millis(500);

/// How long a connection without a request is kept once the server closes: its first request may be on
/// the way, and a client does not expect to lose that one.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// How long an idle connection is kept once the server closes: long enough to learn of a request that the
/// kernel has received already.
const LAST_LOOK: Duration = Duration::from_millis(5);

/// One connection. Lives on one thread.
pub(crate) struct Conn {
    pub(crate) peer: Option<IpAddr>,
    pub(crate) scheme: Scheme,
    /// The headers of the last request, for the next one.
    pub(crate) repeat: RefCell<Repeat>,
    lines: Cell<Option<u64>>,
    opened: Instant,
    /// Requests that were given to the App and whose response is not yet handed over.
    active: Cell<u32>,
    /// Requests that were seen.
    seen: Cell<u64>,
    /// Counts this connection as work from its request to the last byte of the response.
    guard: Cell<Option<InFlight>>,
    idle_since: Cell<Instant>,
    /// Bytes of a request head have come and the head is not complete.
    heard: Cell<bool>,
    head_since: Cell<Option<Instant>>,
    stuck_since: Cell<Option<Instant>>,
    gone_since: Cell<Option<Instant>>,
    timed_out: Cell<bool>,
    /// Reading waits for the end of a request.
    paused: Cell<bool>,
    /// What follows is not answered.
    refuses: Cell<bool>,
    closing: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
}

/// What a connection waits for besides an event.
pub(super) enum Verdict {
    /// For nothing: there is no deadline.
    Wait,
    /// Until this moment; then it ends.
    CloseAt(Instant),
    /// Until this moment; then the client is told that its head did not come, and it ends.
    GiveUpAt(Instant),
}

impl Conn {
    pub(crate) fn new(peer: Option<IpAddr>, scheme: Scheme) -> Self {
        let now = Instant::now();
        Self {
            peer,
            scheme,
            repeat: RefCell::default(),
            lines: Cell::new(None),
            opened: now,
            active: Cell::new(0),
            seen: Cell::new(0),
            guard: Cell::new(None),
            idle_since: Cell::new(now),
            heard: Cell::new(false),
            head_since: Cell::new(None),
            stuck_since: Cell::new(None),
            gone_since: Cell::new(None),
            timed_out: Cell::new(false),
            paused: Cell::new(false),
            refuses: Cell::new(false),
            closing: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    /// A request was read: it counts as work from here on.
    pub(crate) fn begin(&self, enter: impl FnOnce() -> InFlight) {
        if self.active.get() == 0 {
            // A pipelined request may begin before the last response is flushed: then the guard is there.
            let guard = self.guard.take().unwrap_or_else(enter);
            self.guard.set(Some(guard));
        }
        self.active.set(self.active.get() + 1);
        self.seen.set(self.seen.get() + 1);
        self.heard.set(false);
        self.head_since.set(None);
    }

    /// The last byte of a response was handed to the dispatcher, or its request was dropped.
    pub(crate) fn end(&self) {
        self.active.set(self.active.get() - 1);
        self.idle_since.set(Instant::now());
        if self.paused.replace(false) {
            self.wake();
        }
    }

    /// Nothing more is read until a request has ended.
    pub(super) fn pause(&self) {
        self.paused.set(true);
    }

    /// Whether a request is being answered.
    pub(super) fn busy(&self) -> bool {
        self.active.get() > 0
    }

    /// Everything written so far is in the kernel's hands.
    pub(super) fn flushed(&self) {
        self.stuck_since.set(None);
        if !self.busy() {
            self.guard.take();
        }
    }

    /// Bytes have come, and with them these heads.
    pub(super) fn received(&self, heads: Heads) {
        let idle = !self.busy();
        if idle {
            self.heard.set(true);
        }
        // Only of a head that came alone to an idle connection is it sure which request it is.
        self.lines.set(match heads {
            Heads::One(number) if idle => Some(number),
            Heads::None if idle => self.lines.get(),
            _ => None,
        });
    }

    /// The number that the header lines of the request are known by that begins now; the same number
    /// means the same bytes.
    pub(crate) fn take_lines(&self) -> Option<u64> {
        self.lines.take()
    }

    pub(super) fn sent(&self, stuck: bool) {
        match (stuck, self.stuck_since.get()) {
            (true, None) => self.stuck_since.set(Some(Instant::now())),
            (false, Some(_)) => self.stuck_since.set(None),
            _ => {}
        }
    }

    pub(super) fn peer_closed(&self) {
        if self.gone_since.get().is_none() {
            self.gone_since.set(Some(Instant::now()));
        }
    }

    pub(super) fn timed_out(&self) -> bool {
        self.timed_out.get()
    }

    /// Whether the client sent a part of a head.
    pub(super) fn spoke(&self) -> bool {
        self.heard.get()
    }

    /// Closes the connection as soon as nothing is lost by it.
    pub(crate) fn close(&self) {
        self.closing.set(Some(Instant::now()));
        self.wake();
    }

    /// Answers nothing that follows and closes after the response that is being sent.
    pub(crate) fn refuse(&self) {
        self.refuses.set(true);
        self.close();
    }

    /// Whether nothing more is answered.
    pub(crate) fn refuses(&self) -> bool {
        self.refuses.get()
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Keeps the waker of the task that drives this connection; it is always the same task.
    pub(super) fn remember(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if waker.is_none() {
            *waker = Some(cx.waker().clone());
        }
    }

    /// What this connection waits for now, after its dispatcher has done all it can.
    pub(super) fn verdict(&self, config: &Config) -> Verdict {
        if let Some(since) = self.stuck_since.get() {
            return Verdict::CloseAt(since + config.send_timeout);
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

    /// The head did not come in time: the next read finds the end of the input.
    pub(super) fn give_up(&self) {
        self.timed_out.set(true);
    }
}
