//! What is known about one connection, shared by its socket, its task and its requests.
//!
//! Long because the flags of one connection are read and set together.

mod verdict;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

use anyhost_core::{InFlight, Life, Scheme};

pub(super) use verdict::Verdict;

use super::frames::Waits;
use crate::metrics::Counts;

/// One connection.
pub(crate) struct Connection {
    /// The client's address and scheme, once they are known: a PROXY header may name them.
    client: OnceLock<(Option<IpAddr>, Scheme)>,
    /// Where its requests are counted, if anybody reads the counts.
    counts: Option<Arc<Counts>>,
    life: Life,
    opened: Instant,
    /// Requests whose response is not yet handed over.
    active: AtomicU32,
    /// The connection counts as work: a request was read, and its response is not yet sent.
    counted: AtomicBool,
    /// The socket keeps bytes of the next request until the response is handed over.
    holds_back: AtomicBool,
    upgraded: AtomicBool,
    timed_out: AtomicBool,
    cut_off: AtomicBool,
    /// The last target was an absolute one without a path.
    whole_server: AtomicBool,
    state: Mutex<State>,
}

struct State {
    http2: bool,
    /// A request was read.
    seen: bool,
    guard: Option<InFlight>,
    idle_since: Instant,
    /// A part of a head has come, of HTTP/1.1 or HTTP/2.
    in_head: bool,
    head_since: Option<Instant>,
    blocked: Option<Blocked>,
    gone_since: Option<Instant>,
    lingers_since: Option<Instant>,
    closing: Option<Instant>,
    socket_gone: bool,
    /// The task that drives the connection.
    task: Option<Waker>,
    /// The tasks that read and write the socket after an upgrade.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A client that does not take what is sent.
#[derive(Clone, Copy)]
struct Blocked {
    begun: Instant,
    /// When it last took something.
    since: Instant,
    /// Bytes that it took since the beginning.
    taken: u64,
}

impl Connection {
    pub(crate) fn new(life: Life, counts: Option<Arc<Counts>>) -> Self {
        let now = Instant::now();
        Self {
            client: OnceLock::new(),
            counts,
            life,
            opened: now,
            active: AtomicU32::new(0),
            counted: AtomicBool::new(false),
            holds_back: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            timed_out: AtomicBool::new(false),
            cut_off: AtomicBool::new(false),
            whole_server: AtomicBool::new(false),
            state: Mutex::new(State {
                http2: false,
                seen: false,
                guard: None,
                idle_since: now,
                in_head: false,
                head_since: None,
                blocked: None,
                gone_since: None,
                lingers_since: None,
                closing: None,
                socket_gone: false,
                task: None,
                reader: None,
                writer: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client's address, as far as it is known.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.client.get().and_then(|(address, _)| *address)
    }

    /// The scheme that the client used.
    pub(crate) fn scheme(&self) -> Scheme {
        self.client.get().map_or(Scheme::default(), |(_, scheme)| *scheme)
    }

    /// Where its requests are counted, if anybody reads the counts.
    pub(crate) fn counts(&self) -> Option<&Counts> {
        self.counts.as_deref()
    }

    pub(crate) fn life(&self) -> &Life {
        &self.life
    }

    /// Says who the client is; once.
    pub(super) fn comes_from(&self, address: Option<IpAddr>, scheme: Scheme) {
        let _ = self.client.set((address, scheme));
    }

    /// Says that HTTP/2 is spoken: many requests at once, each with a time of its own.
    pub(super) fn is_http2(&self) {
        let mut state = self.state();
        (state.http2, state.in_head) = (true, false);
    }

    /// A request of HTTP/1.1 was read: the connection counts as work from here on.
    pub(crate) fn begin(&self) {
        self.active.fetch_add(1, Ordering::Relaxed);
        self.counted.store(true, Ordering::Relaxed);
        let mut state = self.state();
        state.guard.get_or_insert_with(|| self.life.enter());
        state.seen = true;
        state.in_head = false;
        state.head_since = None;
    }

    /// A request of HTTP/2 was read, which counts itself as work.
    pub(crate) fn begin_stream(&self) {
        self.active.fetch_add(1, Ordering::Relaxed);
        self.state().seen = true;
    }

    /// The last byte of a response was handed over, or its request was dropped.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.idle_since = Instant::now();
        // Behind the time: who sees no request must see since when.
        let last = self.active.fetch_sub(1, Ordering::Relaxed) == 1;
        if (last && state.http2) || self.holds_back.swap(false, Ordering::Relaxed) {
            wake(state.task.as_ref());
        }
    }

    /// Says that the socket has more to give once the response is handed over.
    pub(super) fn holds_back(&self) {
        self.holds_back.store(true, Ordering::Relaxed);
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.active.load(Ordering::Relaxed) > 0
    }

    /// Whether a request was read whose response is not yet sent.
    pub(super) fn is_counted(&self) -> bool {
        self.counted.load(Ordering::Relaxed)
    }

    /// Everything written so far is in the kernel's hands.
    pub(super) fn flushed(&self) {
        if self.is_counted() && !self.is_busy() && !self.is_upgraded() {
            self.counted.store(false, Ordering::Relaxed);
            self.state().guard = None;
        }
    }

    /// A part of a head has come to an idle connection.
    pub(super) fn in_head(&self) {
        self.state().in_head = true;
    }

    /// Bytes of HTTP/2 have come; whether the head of a request is cut behind them.
    pub(super) fn head_waits(&self, waits: Waits) {
        match waits {
            Waits::No => self.state().head_since = None,
            Waits::Still => {}
            Waits::Anew => self.state().head_since = Some(Instant::now()),
        }
    }

    /// The client did not take what was written.
    pub(super) fn blocked(&self) {
        let now = Instant::now();
        self.state().blocked.get_or_insert(Blocked { begun: now, since: now, taken: 0 });
    }

    /// The client took so many bytes, having been blocked before.
    pub(super) fn took(&self, bytes: usize) {
        if let Some(blocked) = &mut self.state().blocked {
            blocked.since = Instant::now();
            blocked.taken += bytes as u64;
        }
    }

    /// The client has taken everything.
    pub(super) fn caught_up(&self) {
        self.state().blocked = None;
    }

    /// The client has closed its sending side.
    pub(super) fn peer_closed(&self) {
        self.state().gone_since.get_or_insert_with(Instant::now);
    }

    /// The response is sent, and the client may not yet have noticed.
    pub(super) fn lingers(&self) {
        self.state().lingers_since.get_or_insert_with(Instant::now);
    }

    /// Whether a head did not come in time.
    pub(super) fn timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }

    /// The head did not come in time: the next read finds the end of the input. A connection of HTTP/2
    /// that was idle for long is told goodbye.
    pub(super) fn give_up(&self) {
        if self.state().http2 {
            self.close();
        } else {
            self.timed_out.store(true, Ordering::Relaxed);
        }
    }

    /// Closes the connection as soon as nothing is lost by it.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closing.get_or_insert_with(Instant::now);
        wake(state.task.as_ref());
    }

    /// Whether the connection is to be closed as soon as nothing is lost by it.
    pub(crate) fn is_closing(&self) -> bool {
        self.state().closing.is_some()
    }

    /// Whether the connection goes on with another protocol.
    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// The connection goes on with another protocol, and counts as work until its socket is dropped.
    pub(crate) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    /// Ends an upgraded connection: its holder reads the end of the input, and can write no more.
    pub(crate) fn cut_off(&self) {
        let state = self.state();
        self.cut_off.store(true, Ordering::Relaxed);
        wake(state.reader.as_ref());
        wake(state.writer.as_ref());
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.cut_off.load(Ordering::Relaxed)
    }

    /// Keeps the waker of the task that reads an upgraded connection.
    pub(super) fn remember_reader(&self, cx: &Context<'_>) {
        let mut state = self.state();
        state.reader = Some(cx.waker().clone());
        self.wake_if_cut_off(cx);
    }

    /// Keeps the waker of the task that writes to an upgraded connection.
    pub(super) fn remember_writer(&self, cx: &Context<'_>) {
        let mut state = self.state();
        state.writer = Some(cx.waker().clone());
        self.wake_if_cut_off(cx);
    }

    /// Re-check after registering, under the lock: an end that came in between would wake nobody (lost wakeup).
    fn wake_if_cut_off(&self, cx: &Context<'_>) {
        if self.is_cut_off() {
            cx.waker().wake_by_ref();
        }
    }

    /// The socket of the connection was dropped.
    pub(super) fn socket_is_gone(&self) {
        let mut state = self.state();
        state.socket_gone = true;
        // Else the request that is being answered ends behind its socket.
        if self.is_upgraded() {
            state.guard = None;
            wake(state.task.as_ref());
        }
    }

    pub(super) fn is_socket_gone(&self) -> bool {
        self.state().socket_gone
    }

    /// Keeps the waker of the task that drives this connection; it is always the same task.
    pub(super) fn remember_task(&self, cx: &Context<'_>) {
        self.state().task.get_or_insert_with(|| cx.waker().clone());
    }

    pub(super) fn set_whole_server(&self, whole_server: bool) {
        self.whole_server.store(whole_server, Ordering::Relaxed);
    }

    /// Whether the target of the last head was an absolute one without a path.
    pub(crate) fn whole_server(&self) -> bool {
        self.whole_server.load(Ordering::Relaxed)
    }
}

fn wake(waker: Option<&Waker>) {
    if let Some(waker) = waker {
        waker.wake_by_ref();
    }
}
