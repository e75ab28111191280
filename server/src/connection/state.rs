//! What is known about one connection, shared by its socket, its task and its requests.

mod atomic_instant;
mod blocked;
mod timeout;
mod untaken;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use anyhost_core::adapter::Activity;
use anyhost_core::{InFlight, Life, Scheme};
use futures_util::task::AtomicWaker;

pub(super) use timeout::Timeout;

use atomic_instant::AtomicInstant;
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

/// One connection. What every request changes is not behind a lock.
pub(crate) struct Connection {
    /// The client's address and scheme, once they are known: a PROXY header may name them.
    client: OnceLock<(Option<IpAddr>, Scheme)>,
    /// Where its requests are counted, if anybody reads the counts.
    counts: Option<Arc<Counts>>,
    /// In an `Arc` of this connection alone: requests of other threads do not write its counter.
    life: Arc<Life>,
    opened: Instant,
    http2: AtomicBool,
    /// A request was read.
    seen: AtomicBool,
    /// Requests whose response is not yet handed over.
    active: AtomicU32,
    /// Whether a request was read whose response is not yet sent.
    activity: Activity,
    /// The socket keeps bytes of the next request until the response is sent.
    holds_back: AtomicBool,
    upgraded: AtomicBool,
    timed_out: AtomicBool,
    /// The target of the last head was an absolute one without a path.
    whole_server: AtomicBool,
    socket_gone: AtomicBool,
    /// The [`Stage`] as a number.
    stage: AtomicU8,
    pub(crate) untaken: Untaken,
    idle_since: AtomicInstant,
    /// When a part of a head came to an idle connection of HTTP/1.1.
    head_since: AtomicInstant,
    /// Locked, because after an upgrade the task of the socket writes it while the task of the connection reads it.
    blocked: Mutex<Option<Blocked>>,
    /// When the client closed its sending side.
    half_closed_since: AtomicInstant,
    lingers_since: AtomicInstant,
    closing_since: AtomicInstant,
    /// The task that drives the connection.
    pub(super) task: AtomicWaker,
    /// The tasks that read and write the socket after an upgrade.
    pub(super) reader: AtomicWaker,
    pub(super) writer: AtomicWaker,
}

impl Connection {
    pub(crate) fn new(life: Life, counts: Option<Arc<Counts>>) -> Self {
        Self {
            client: OnceLock::new(),
            counts,
            life: Arc::new(life.clone()),
            opened: Instant::now(),
            http2: AtomicBool::new(false),
            seen: AtomicBool::new(false),
            active: AtomicU32::new(0),
            activity: Activity::new(life),
            holds_back: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            timed_out: AtomicBool::new(false),
            whole_server: AtomicBool::new(false),
            socket_gone: AtomicBool::new(false),
            stage: AtomicU8::new(Stage::Serving as u8),
            untaken: Untaken::default(),
            idle_since: AtomicInstant::default(),
            head_since: AtomicInstant::default(),
            blocked: Mutex::default(),
            half_closed_since: AtomicInstant::default(),
            lingers_since: AtomicInstant::default(),
            closing_since: AtomicInstant::default(),
            task: AtomicWaker::new(),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        }
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

    pub(crate) fn life(&self) -> &Arc<Life> {
        &self.life
    }

    /// Says who the client is; once.
    pub(super) fn comes_from(&self, address: Option<IpAddr>, scheme: Scheme) {
        let _ = self.client.set((address, scheme));
    }

    /// Says that HTTP/2 is spoken: many requests at once, each with a time of its own.
    pub(super) fn is_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
        self.head_since.clear();
    }

    /// A request was read. One of HTTP/2 counts as work itself; of HTTP/1.1 its connection does from here on.
    pub(crate) fn begin(&self) -> Option<InFlight> {
        self.seen.store(true, Ordering::Relaxed);
        if self.http2.load(Ordering::Relaxed) {
            self.active.fetch_add(1, Ordering::Relaxed);
            return Some(self.life.enter());
        }
        self.active.store(1, Ordering::Relaxed);
        self.activity.begin();
        self.head_since.clear();
        None
    }

    /// The last byte of a response was handed over, or its request was dropped.
    pub(crate) fn end(&self) {
        self.idle_since.set(self.opened);
        // After the time is set: a task that sees no request must see since when.
        if !self.http2.load(Ordering::Relaxed) {
            self.active.store(0, Ordering::Release);
        } else if self.active.fetch_sub(1, Ordering::Release) == 1 {
            self.task.wake();
        }
    }

    /// Says that the socket has more to give once the response is sent.
    pub(super) fn holds_back(&self) {
        self.holds_back.store(true, Ordering::Relaxed);
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.active.load(Ordering::Acquire) > 0
    }

    /// Whether a request was read whose response is not yet sent.
    pub(super) fn is_counted(&self) -> bool {
        self.activity.is_busy()
    }

    /// Everything written so far is in the kernel's hands.
    pub(super) fn flushed(&self) {
        if self.is_counted() && !self.is_busy() && !self.is_upgraded() {
            self.activity.end();
            if self.holds_back.load(Ordering::Relaxed) {
                self.holds_back.store(false, Ordering::Relaxed);
                self.task.wake();
            }
        }
    }

    /// A part of a head has come to an idle connection.
    pub(super) fn in_head(&self) {
        self.head_since.begin(self.opened);
    }

    /// The client has closed its sending side.
    pub(super) fn half_closed(&self) {
        self.half_closed_since.begin(self.opened);
    }

    /// The response is sent, and the client may not yet have noticed.
    pub(super) fn lingers(&self) {
        self.lingers_since.begin(self.opened);
    }

    /// Whether a head did not come in time.
    pub(super) fn timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }

    /// Ends a connection whose time is over with a message to the client: 408 if a head did not come in time, GOAWAY if a
    /// connection of HTTP/2 was idle.
    pub(super) fn give_up(&self) {
        if self.http2.load(Ordering::Relaxed) {
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
            self.closing_since.begin(self.opened);
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
        self.socket_gone.store(true, Ordering::Release);
        // Else the request that is being answered ends behind its socket.
        if self.is_upgraded() {
            self.activity.end();
            self.task.wake();
        }
    }

    pub(super) fn is_socket_gone(&self) -> bool {
        self.socket_gone.load(Ordering::Acquire)
    }
}
