//! What is known about one connection, shared by its socket, its task and its requests.

mod blocked;
mod timeout;
mod untaken;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use anyhost_core::{InFlight, Life, Scheme};
use futures_util::task::AtomicWaker;

pub(super) use timeout::Timeout;

use blocked::Blocked;
use untaken::Untaken;

use crate::metrics::Counts;

/// How far the end of the server has come, as a connection sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    #[default]
    Serving,
    /// A connection ends as soon as nothing is lost by it.
    Closing,
    /// A connection that goes on with another protocol ends, too.
    CutOff,
    /// Every connection ends at once.
    Aborted,
}

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
    /// The socket keeps bytes of the next request until the response is sent.
    holds_back: AtomicBool,
    upgraded: AtomicBool,
    timed_out: AtomicBool,
    /// The target of the last head was an absolute one without a path.
    whole_server: AtomicBool,
    /// The [`Stage`] as a number.
    stage: AtomicU8,
    pub(crate) untaken: Untaken,
    /// The task that drives the connection.
    pub(super) task: AtomicWaker,
    /// The tasks that read and write the socket after an upgrade.
    pub(super) reader: AtomicWaker,
    pub(super) writer: AtomicWaker,
    state: Mutex<State>,
}

struct State {
    http2: bool,
    /// A request was read.
    seen: bool,
    guard: Option<InFlight>,
    idle_since: Instant,
    /// When a part of a head came to an idle connection of HTTP/1.1.
    head_since: Option<Instant>,
    blocked: Option<Blocked>,
    /// The client has closed its sending side.
    half_closed_since: Option<Instant>,
    lingers_since: Option<Instant>,
    closing_since: Option<Instant>,
    socket_gone: bool,
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
            whole_server: AtomicBool::new(false),
            stage: AtomicU8::new(Stage::Serving as u8),
            untaken: Untaken::default(),
            task: AtomicWaker::new(),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            state: Mutex::new(State {
                http2: false,
                seen: false,
                guard: None,
                idle_since: now,
                head_since: None,
                blocked: None,
                half_closed_since: None,
                lingers_since: None,
                closing_since: None,
                socket_gone: false,
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

    pub(super) fn set_whole_server(&self, whole_server: bool) {
        self.whole_server.store(whole_server, Ordering::Relaxed);
    }

    /// Whether the target of the last head was an absolute one without a path.
    pub(crate) fn whole_server(&self) -> bool {
        self.whole_server.load(Ordering::Relaxed)
    }

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
        (state.http2, state.head_since) = (true, None);
    }

    /// A request of HTTP/1.1 was read: the connection counts as work from here on.
    pub(crate) fn begin(&self) {
        self.active.fetch_add(1, Ordering::Relaxed);
        self.counted.store(true, Ordering::Relaxed);
        let mut state = self.state();
        state.guard.get_or_insert_with(|| self.life.enter());
        state.seen = true;
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
        // After the time is set: a task that sees no request must see since when.
        let last = self.active.fetch_sub(1, Ordering::Relaxed) == 1;
        if last && state.http2 {
            self.task.wake();
        }
    }

    /// Says that the socket has more to give once the response is sent.
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
            if self.holds_back.swap(false, Ordering::Relaxed) {
                self.task.wake();
            }
        }
    }

    /// A part of a head has come to an idle connection.
    pub(super) fn in_head(&self) {
        self.state().head_since.get_or_insert_with(Instant::now);
    }

    /// The client has closed its sending side.
    pub(super) fn half_closed(&self) {
        self.state().half_closed_since.get_or_insert_with(Instant::now);
    }

    /// The response is sent, and the client may not yet have noticed.
    pub(super) fn lingers(&self) {
        self.state().lingers_since.get_or_insert_with(Instant::now);
    }

    /// Whether a head did not come in time.
    pub(super) fn timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }

    /// Ends a connection whose time is over with a message to the client: 408 if a head did not come in time, GOAWAY if a
    /// connection of HTTP/2 was idle.
    pub(super) fn give_up(&self) {
        if self.state().http2 {
            self.close();
        } else {
            self.timed_out.store(true, Ordering::Relaxed);
        }
    }

    /// Closes the connection as soon as nothing is lost by it.
    pub(crate) fn close(&self) {
        self.advance(Stage::Closing);
    }

    /// Says how far the end of the server has come.
    pub(crate) fn advance(&self, stage: Stage) {
        if stage >= Stage::Closing {
            self.state().closing_since.get_or_insert_with(Instant::now);
        }
        self.stage.fetch_max(stage as u8, Ordering::Relaxed);
        for waker in [&self.task, &self.reader, &self.writer] {
            waker.wake();
        }
    }

    /// Whether the end of the server has come so far.
    pub(super) fn has_reached(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::Relaxed) >= stage as u8
    }

    /// Whether the connection goes on with another protocol.
    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// The connection goes on with another protocol, and counts as work until its socket is dropped.
    pub(crate) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    /// The socket of the connection was dropped.
    pub(super) fn socket_is_gone(&self) {
        let mut state = self.state();
        state.socket_gone = true;
        // Else the request that is being answered ends behind its socket.
        if self.is_upgraded() {
            state.guard = None;
            self.task.wake();
        }
    }

    pub(super) fn is_socket_gone(&self) -> bool {
        self.state().socket_gone
    }
}
