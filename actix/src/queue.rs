//! Requests that wait for a thread: one queue for all threads, so that a blocked thread delays none of them.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use anyhost_core::{Error, Request, Response};
use futures_util::task::AtomicWaker;
use tokio::sync::oneshot;

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
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
    /// The thread that is looked at first by the next push.
    next: usize,
}

/// What the queue knows of one thread.
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
        Self { state: Mutex::default(), threads }
    }

    /// Adds a request and wakes a thread for it.
    ///
    /// A parked thread is woken if there is one. A running thread may be blocked in a handler, so if none is
    /// parked, all are woken: the first to come back to the queue takes the request.
    ///
    /// # Errors
    /// The request itself if the queue is closed.
    #[expect(
        clippy::result_large_err,
        reason = "the request goes back to the caller, which answers it"
    )]
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        let first = {
            let mut state = self.lock();
            if state.closed {
                return Err(job);
            }
            state.jobs.push_back(job);
            state.next = (state.next + 1) % self.threads.len();
            state.next
        };
        let (before, after) = self.threads.split_at(first);
        let mut in_turn = after.iter().chain(before);
        // Swapped, so that of two requests each wakes a thread of its own.
        match in_turn.find(|thread| thread.parked.swap(false, Ordering::SeqCst)) {
            Some(parked) => parked.waker.wake(),
            None => self.threads.iter().for_each(|thread| thread.waker.wake()),
        }
        Ok(())
    }

    /// The next request for a thread; `None` once the queue is closed and empty.
    pub(crate) fn poll_next(&self, thread: usize, cx: &mut Context<'_>) -> Poll<Option<Job>> {
        if let taken @ Poll::Ready(_) = self.take() {
            return taken;
        }
        self.threads[thread].waker.register(cx.waker());
        // Taken again after registering: a request pushed in between would wake nobody (lost wakeup).
        self.take()
    }

    /// Says that a thread's runtime is about to wait for events.
    pub(crate) fn parks(&self, thread: usize) {
        let thread = &self.threads[thread];
        thread.parked.store(true, Ordering::SeqCst);
        // Looked at after the store: a push that did not see it has left its request in the queue.
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
        self.threads.iter().for_each(|thread| thread.waker.wake());
    }

    fn take(&self) -> Poll<Option<Job>> {
        let mut state = self.lock();
        match state.jobs.pop_front() {
            Some(job) => Poll::Ready(Some(job)),
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
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    use anyhost_core::Body;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn job() -> Job {
        Job { request: Request::new(Body::empty()), answer: oneshot::channel().0 }
    }

    /// A queue whose threads all wait, and how often each was woken.
    fn waiting(count: usize) -> (Queue, Vec<Arc<Wakes>>) {
        let queue = Queue::new(count);
        let wakes: Vec<Arc<Wakes>> = (0..count).map(|_| Arc::default()).collect();
        for (thread, wakes) in wakes.iter().enumerate() {
            let waker = Waker::from(Arc::clone(wakes));
            assert!(queue.poll_next(thread, &mut Context::from_waker(&waker)).is_pending());
        }
        (queue, wakes)
    }

    fn counts(wakes: &[Arc<Wakes>]) -> Vec<usize> {
        wakes.iter().map(|wakes| wakes.0.load(Ordering::SeqCst)).collect()
    }

    #[test]
    fn each_request_wakes_a_parked_thread_of_its_own() {
        let (queue, wakes) = waiting(3);
        (0..3).for_each(|thread| queue.parks(thread));
        for pushed in 1..=3 {
            queue.push(job()).expect("open");
            assert_eq!(counts(&wakes).iter().sum::<usize>(), pushed);
        }
        assert_eq!(counts(&wakes), [1, 1, 1]);
    }

    #[test]
    fn a_thread_that_runs_is_not_counted_on_if_another_is_parked() {
        let (queue, wakes) = waiting(2);
        let waker = Waker::from(Arc::clone(&wakes[1]));
        let mut cx = Context::from_waker(&waker);
        for _ in 0..2 {
            queue.parks(1);
            queue.push(job()).expect("open");
            // The thread runs, takes the request and waits for the next.
            assert!(queue.poll_next(1, &mut cx).is_ready());
            assert!(queue.poll_next(1, &mut cx).is_pending());
        }
        assert_eq!(counts(&wakes), [0, 2]);
    }

    #[test]
    fn if_no_thread_is_parked_all_are_woken() {
        let (queue, wakes) = waiting(3);
        queue.push(job()).expect("open");
        assert_eq!(counts(&wakes), [1, 1, 1]);
    }

    #[test]
    fn a_thread_that_parks_beside_a_request_is_woken_again() {
        let (queue, wakes) = waiting(1);
        queue.push(job()).expect("open");
        let waker = Waker::from(Arc::clone(&wakes[0]));
        queue.threads[0].waker.register(&waker);
        queue.parks(0);
        assert_eq!(counts(&wakes), [2]);
    }

    #[test]
    fn a_closed_queue_is_emptied_and_takes_no_more() {
        let (queue, wakes) = waiting(1);
        queue.push(job()).expect("open");
        queue.close();
        assert!(queue.push(job()).is_err());
        let waker = Waker::from(Arc::clone(&wakes[0]));
        let mut cx = Context::from_waker(&waker);
        assert!(matches!(queue.poll_next(0, &mut cx), Poll::Ready(Some(_))));
        assert!(matches!(queue.poll_next(0, &mut cx), Poll::Ready(None)));
    }
}
