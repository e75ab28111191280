//! Requests that wait for a thread: one queue for all threads, so that a blocked thread delays none of them.
//!
//! To wake a thread costs more than a short handler. So requests that arrive together wake one together,
//! see [`Queue::wake_for_batches`].

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhost_core::{Error, Request, Response};
use futures_util::task::AtomicWaker;
use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;

/// How long a request waits at most for others to be woken with, while requests still arrive.
const BATCH_TIMEOUT: Duration = Duration::from_micros(200);

/// What became of a request: the answer, or the payload of the handler's panic.
pub(crate) type Outcome = Result<Result<Response, Error>, Box<dyn Any + Send>>;

/// A request, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request: Request,
    /// Closed if the caller no longer waits.
    pub(crate) answer: oneshot::Sender<Outcome>,
}

/// The queue that all threads take from, first in, first out.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    threads: Box<[Thread]>,
    /// Requests that are not answered yet.
    in_flight: AtomicUsize,
    /// Notified of the first request of a batch.
    batch_begun: Notify,
}

/// A request that is not answered yet, as the queue counts it.
#[derive(Debug)]
pub(crate) struct InFlight<'q>(&'q Queue);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
    /// When the first request came for which no thread was woken yet.
    batch: Option<Instant>,
    /// The thread that the next wake-up tries first.
    next: usize,
}

/// The state of one thread, as the queue sees it.
#[derive(Debug, Default)]
struct Thread {
    /// Its runtime waits for events: it can start on a request at once.
    parked: AtomicBool,
    /// Wakes the task that takes from the queue.
    waker: AtomicWaker,
}

impl Queue {
    pub(crate) fn new(threads: usize) -> Self {
        let threads = (0..threads).map(|_| Thread::default()).collect();
        Self {
            state: Mutex::default(),
            threads,
            in_flight: AtomicUsize::new(0),
            batch_begun: Notify::new(),
        }
    }

    /// Counts a request as in flight until the value is dropped.
    pub(crate) fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// Adds a request, and wakes a thread for it at once or with its batch.
    ///
    /// While there are no more requests than threads, each wakes a thread of its own.
    ///
    /// # Errors
    /// The request itself if the queue is closed.
    #[expect(
        clippy::result_large_err,
        reason = "the request goes back to the caller, which answers it"
    )]
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        let mut state = self.lock();
        if state.closed {
            return Err(job);
        }
        state.jobs.push_back(job);
        if self.in_flight.load(Ordering::Relaxed) > self.threads.len() {
            match state.batch {
                None => {
                    state.batch = Some(Instant::now());
                    drop(state);
                    self.batch_begun.notify_one();
                    return Ok(());
                }
                Some(begun) if begun.elapsed() < BATCH_TIMEOUT => return Ok(()),
                // The task that wakes for this batch may be behind one that blocks its thread.
                Some(_) => {}
            }
        }
        self.wake(state);
        Ok(())
    }

    /// Wakes a thread for each batch of requests, until the queue is closed.
    ///
    /// It runs on the host's runtime, where requests arrive: a task that yields runs again when those that
    /// were ready have run, and with them the requests that had arrived are in the queue.
    pub(crate) async fn wake_for_batches(&self) {
        loop {
            self.batch_begun.notified().await;
            yield_now().await;
            let state = self.lock();
            match (state.closed, state.batch) {
                (true, _) => return,
                (false, Some(_)) => self.wake(state),
                (false, None) => {}
            }
        }
    }

    /// Wakes a thread for the requests that wait.
    ///
    /// A parked thread is woken if there is one. A running thread may be blocked in a handler, so if none is
    /// parked, all are woken: the first to come back to the queue takes the request.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        state.batch = None;
        state.next = (state.next + 1) % self.threads.len();
        let (before, after) = self.threads.split_at(state.next);
        drop(state);
        let mut in_turn = after.iter().chain(before);
        // Swapped, so that of two requests each wakes a thread of its own.
        match in_turn.find(|thread| thread.parked.swap(false, Ordering::SeqCst)) {
            Some(parked) => parked.waker.wake(),
            None => self.threads.iter().for_each(|thread| thread.waker.wake()),
        }
    }

    /// The next request for a thread; `None` once the queue is closed and empty.
    pub(crate) fn poll_next(&self, thread: usize, cx: &mut Context<'_>) -> Poll<Option<Job>> {
        if let taken @ Poll::Ready(_) = self.take() {
            return taken;
        }
        self.threads[thread].waker.register(cx.waker());
        // Try again after registering: a request pushed in between would wake no thread (lost wakeup).
        self.take()
    }

    /// Says that a thread's runtime is about to wait for events.
    pub(crate) fn parks(&self, thread: usize) {
        let thread = &self.threads[thread];
        thread.parked.store(true, Ordering::SeqCst);
        // Check after the store: the request of a push that still read `parked` as false is in the queue.
        if !self.lock().jobs.is_empty() && thread.parked.swap(false, Ordering::SeqCst) {
            thread.waker.wake();
        }
    }

    /// Says that a thread's runtime runs again.
    pub(crate) fn unparks(&self, thread: usize) {
        self.threads[thread].parked.store(false, Ordering::SeqCst);
    }

    /// Takes no more requests; the threads end when the queue is empty.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.batch_begun.notify_one();
        self.threads.iter().for_each(|thread| thread.waker.wake());
    }

    fn take(&self) -> Poll<Option<Job>> {
        let mut state = self.lock();
        match state.jobs.pop_front() {
            Some(job) => {
                if state.jobs.is_empty() {
                    state.batch = None;
                } else {
                    // The handler may block this thread: wake another for the requests behind it.
                    self.wake(state);
                }
                Poll::Ready(Some(job))
            }
            None if state.closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
