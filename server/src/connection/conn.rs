//! What is known about one connection, shared by its socket, its driver and its requests.

mod verdict;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use anyhost_core::{InFlight, Scheme};

use super::frames::Waits;
use super::framing::Heads;
use crate::bridge::Repeat;
use crate::metrics::Counts;
pub(super) use verdict::Verdict;

/// One connection. Lives on one thread.
pub(crate) struct Conn {
    peer: Cell<Option<IpAddr>>,
    scheme: Cell<Scheme>,
    http2: Cell<bool>,
    /// Where its requests are counted, if they are.
    counts: Option<Arc<Counts>>,
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

impl Conn {
    pub(crate) fn new(peer: Option<IpAddr>, scheme: Scheme, counts: Option<Arc<Counts>>) -> Self {
        let now = Instant::now();
        Self {
            peer: Cell::new(peer),
            scheme: Cell::new(scheme),
            http2: Cell::new(false),
            counts,
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

    /// The client's address, where it is known.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.peer.get()
    }

    /// Where its requests are counted, if somebody reads the counts.
    pub(crate) fn counts(&self) -> Option<&Counts> {
        self.counts.as_deref()
    }

    /// The scheme the client used.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme.get()
    }

    /// A proxy that is trusted says who the client is.
    pub(super) fn comes_from(&self, peer: Option<IpAddr>, scheme: Option<Scheme>) {
        self.peer.set(peer.map(|address| address.to_canonical()));
        self.scheme.set(scheme.unwrap_or(self.scheme.get()));
    }

    /// HTTP/2 is spoken: many requests at once, each with a time of its own.
    pub(super) fn is_http2(&self) {
        self.http2.set(true);
        self.heard.set(false);
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

    /// A request of HTTP/2 was read, which counts itself as work.
    pub(crate) fn begin_stream(&self) {
        self.active.set(self.active.get() + 1);
        self.seen.set(self.seen.get() + 1);
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

    /// Bytes of HTTP/2 have come; whether the head of a request is cut behind them.
    pub(super) fn head_waits(&self, waits: Waits) {
        match waits {
            Waits::No => self.head_since.set(None),
            Waits::Still => {}
            Waits::Anew => self.head_since.set(Some(Instant::now())),
        }
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

    /// The same, where nobody has said so before.
    pub(crate) fn close_once(&self) {
        if !self.closing() {
            self.close();
        }
    }

    /// Whether the connection is to be closed as soon as nothing is lost by it.
    pub(crate) fn closing(&self) -> bool {
        self.closing.get().is_some()
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

    /// The head did not come in time: the next read finds the end of the input. A connection of HTTP/2
    /// that was idle for long is told goodbye.
    pub(super) fn give_up(&self) {
        if self.http2.get() {
            self.close();
        } else {
            self.timed_out.set(true);
        }
    }
}
