//! What is known about one connection, shared by its socket, its task and its requests.

mod timeout;
mod untaken;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhost_core::adapter::Activity;
use anyhost_core::{InFlight, Lifecycle};
use futures_util::task::AtomicWaker;

use timeout::Blocked;
pub(super) use timeout::Timeout;

use untaken::Untaken;

use crate::limit::Permit;
use crate::metrics::Counts;

/// How far the end of the server has come, as a connection sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    #[default]
    Serving,
    /// The response to a request is the last of its connection; new connections are served.
    Draining,
    /// A connection ends as soon as nothing is lost by it.
    Closing,
    /// A connection that goes on with another protocol ends, too.
    CutOff,
    /// Every connection ends at once.
    Aborted,
}

/// One connection.
pub(crate) struct Connection {
    /// The counts of requests, if they are read.
    counts: Option<Arc<Counts>>,
    /// In an `Arc` of this connection alone: requests of other threads do not write its counter.
    lifecycle: Arc<Lifecycle>,
    http2: AtomicBool,
    upgraded: AtomicBool,
    timed_out: AtomicBool,
    /// The target of the last head was an absolute one without a path.
    whole_server: AtomicBool,
    /// The [`Stage`] as a number.
    stage: AtomicU8,
    progress: Mutex<Progress>,
    /// Whether a request was read whose response is not yet sent.
    // Behind the permit of a WebSocket: when no work is counted any more, all places are free.
    activity: Activity,
    pub(crate) untaken: Untaken,
    /// The task that drives the connection.
    pub(super) task: AtomicWaker,
    /// The tasks that read and write the socket after an upgrade.
    pub(super) reader: AtomicWaker,
    pub(super) writer: AtomicWaker,
}

/// How far requests and responses have come, and since when.
#[derive(Debug)]
struct Progress {
    /// A request was read.
    seen: bool,
    /// Requests whose response is not yet handed over.
    active: u32,
    /// The socket keeps bytes of the next request until the response is sent.
    holds_back: bool,
    /// When the last request ended, or the connection was opened.
    idle_since: Instant,
    /// When a part of a head came to an idle connection of HTTP/1.1.
    head_since: Option<Instant>,
    /// The client does not take what is sent.
    blocked: Option<Blocked>,
    /// When the client closed its sending side.
    half_closed_since: Option<Instant>,
    lingers_since: Option<Instant>,
    closing_since: Option<Instant>,
    /// The place of a WebSocket under the limit.
    permit: Option<Permit>,
}

impl Connection {
    pub(crate) fn new(lifecycle: Lifecycle, counts: Option<Arc<Counts>>) -> Self {
        Self {
            counts,
            lifecycle: Arc::new(lifecycle.clone()),
            http2: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            timed_out: AtomicBool::new(false),
            whole_server: AtomicBool::new(false),
            stage: AtomicU8::new(Stage::Serving as u8),
            progress: Mutex::new(Progress {
                seen: false,
                active: 0,
                holds_back: false,
                idle_since: Instant::now(),
                head_since: None,
                blocked: None,
                half_closed_since: None,
                lingers_since: None,
                closing_since: None,
                permit: None,
            }),
            activity: Activity::new(lifecycle),
            untaken: Untaken::default(),
            task: AtomicWaker::new(),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Nothing panics while the lock is held.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
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

    pub(crate) fn lifecycle(&self) -> &Arc<Lifecycle> {
        &self.lifecycle
    }

    /// Says that HTTP/2 is spoken: many requests at once, each with a time of its own.
    pub(super) fn is_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
        self.progress().head_since = None;
    }

    /// A request was read. One of HTTP/2 counts as work itself; of HTTP/1.1 its connection does from here on.
    pub(crate) fn begin(&self) -> Option<InFlight> {
        let mut progress = self.progress();
        progress.seen = true;
        progress.active += 1;
        progress.head_since = None;
        drop(progress);
        if self.http2.load(Ordering::Relaxed) {
            return Some(self.lifecycle.track());
        }
        self.activity.begin();
        None
    }

    /// The last byte of a response was handed over, or its request was dropped.
    pub(crate) fn end(&self) {
        let mut progress = self.progress();
        progress.idle_since = Instant::now();
        progress.active -= 1;
        let idle = progress.active == 0;
        drop(progress);
        if idle && self.http2.load(Ordering::Relaxed) {
            self.task.wake();
        }
    }

    /// Whether a request is being answered, and since when the client had nothing answered: the order in which connections
    /// are given up.
    pub(crate) fn awaited_since(&self) -> (bool, Instant) {
        let progress = self.progress();
        (progress.active > 0, progress.idle_since)
    }

    /// Says that the socket has more to give once the response is sent.
    pub(super) fn holds_back(&self) {
        self.progress().holds_back = true;
    }

    /// Whether a request was read whose response is not yet sent.
    pub(super) fn is_counted(&self) -> bool {
        self.activity.is_busy()
    }

    /// Everything written so far is in the kernel's hands.
    pub(super) fn flushed(&self) {
        if !self.is_counted() || self.is_upgraded() {
            return;
        }
        let mut progress = self.progress();
        if progress.active == 0 {
            self.activity.end();
            if std::mem::take(&mut progress.holds_back) {
                self.task.wake();
            }
        }
    }

    /// A part of a head has come to an idle connection.
    pub(super) fn in_head(&self) {
        self.progress().head_since.get_or_insert_with(Instant::now);
    }

    /// The client has closed its sending side.
    pub(super) fn half_closed(&self) {
        self.progress().half_closed_since.get_or_insert_with(Instant::now);
    }

    /// The response is sent, and the client may not yet have noticed.
    pub(super) fn lingers(&self) {
        self.progress().lingers_since.get_or_insert_with(Instant::now);
    }

    /// Whether a head did not come in time.
    pub(super) fn timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }

    /// Ends a connection whose time is over with a message to the client: 408 if a head did not come in time, GOAWAY if a
    /// connection of HTTP/2 was idle.
    pub(super) fn give_up(&self) {
        if self.http2.load(Ordering::Relaxed) {
            self.advance(Stage::Closing);
        } else {
            self.timed_out.store(true, Ordering::Relaxed);
        }
    }

    /// Says how far the end of the server has come.
    pub(crate) fn advance(&self, stage: Stage) {
        if stage >= Stage::Closing {
            self.progress().closing_since.get_or_insert_with(Instant::now);
        }
        self.stage.fetch_max(stage as u8, Ordering::Relaxed);
        for waker in [&self.task, &self.reader, &self.writer] {
            waker.wake();
        }
    }

    /// Whether the end of the server has come so far.
    pub(crate) fn has_reached(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::Relaxed) >= stage as u8
    }

    /// Whether the connection goes on with another protocol.
    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// The connection goes on with another protocol, and counts as work until its socket is dropped.
    pub(crate) fn upgrade(&self, permit: Option<Permit>) {
        self.progress().permit = permit;
        self.upgraded.store(true, Ordering::Relaxed);
    }
}
