//! A thread that serves requests on a runtime of its own.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// A worker that has run for longer than this without waiting for anything is busy: what it drives for
/// others would wait for it.
const BUSY: Duration = Duration::from_millis(20);

/// A worker that is busy for longer than this is stuck, and not just short of processor time.
pub(crate) const STUCK: Duration = Duration::from_millis(200);

/// The moment that a worker's times are counted from.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    static HERE: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// A thread that serves requests on a current-thread runtime of its own, as a server makes one for each
/// processor.
///
/// A socket is driven by the runtime it was opened on. What a worker opens on itself costs no second thread
/// when an answer comes; but it ends with the worker, and waits for it while it is busy. So whoever keeps
/// sockets has to know the workers: [`Host::hire`](crate::Host::hire).
#[derive(Clone, Debug)]
pub struct Worker(Arc<Known>);

#[derive(Debug)]
struct Known {
    number: usize,
    runtime: OnceLock<Handle>,
    /// Milliseconds from [`BEGINNING`] to when it began to run, and one; zero while it waits.
    running: AtomicU64,
    ended: AtomicBool,
}

impl Worker {
    /// A worker by its number among its siblings, from zero, which has not begun.
    #[must_use]
    pub fn new(number: usize) -> Self {
        Self(Arc::new(Known {
            number,
            runtime: OnceLock::new(),
            running: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        }))
    }

    /// Makes the current thread this worker, until what is returned is dropped: before its runtime is.
    pub fn begin(&self, runtime: Handle) -> AtWork {
        let _ = self.0.runtime.set(runtime);
        HERE.with(|here| *here.borrow_mut() = Some(self.clone()));
        AtWork { worker: self.clone(), this_thread: PhantomData }
    }

    /// Says that its runtime has nothing to do and waits: for `tokio::runtime::Builder::on_thread_park`.
    pub fn waits(&self) {
        self.0.running.store(0, Ordering::Relaxed);
    }

    /// Says that its runtime has something to do: for `tokio::runtime::Builder::on_thread_unpark`.
    pub fn runs(&self) {
        self.0.running.store(now(), Ordering::Relaxed);
    }

    /// Whether what it drives makes progress: it has not ended, and waits for events or did so a moment ago.
    pub(crate) fn is_responsive(&self) -> bool {
        !self.runs_longer_than(BUSY) && !self.has_ended() && self.0.runtime.get().is_some()
    }

    /// Whether what it drives has made no progress for so long that nobody should count on it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.runs_longer_than(STUCK) || self.has_ended()
    }

    fn runs_longer_than(&self, time: Duration) -> bool {
        let since = self.0.running.load(Ordering::Relaxed);
        since > 0 && u128::from(now().saturating_sub(since)) > time.as_millis()
    }

    /// Whether its runtime is gone, or is about to be.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }

    /// Its runtime, once it has begun.
    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.0.runtime.get()
    }

    /// The number of the worker that the current thread is, where it is one of these.
    pub(crate) fn here<'w>(of: impl Fn(usize) -> Option<&'w Self>) -> Option<usize> {
        HERE.with(|here| {
            let here = here.borrow();
            let this = here.as_ref()?;
            let same = of(this.0.number)?;
            Arc::ptr_eq(&this.0, &same.0).then_some(this.0.number)
        })
    }
}

/// Milliseconds since the beginning, and one: never zero.
fn now() -> u64 {
    u64::try_from(BEGINNING.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// A thread that is a worker; dropped, the worker has ended.
#[derive(Debug)]
pub struct AtWork {
    worker: Worker,
    /// It belongs to the thread.
    this_thread: PhantomData<*const ()>,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.worker.0.ended.store(true, Ordering::Release);
        HERE.with(|here| here.borrow_mut().take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_a_worker_for_as_long_as_it_is_at_work() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let [first, second, stranger] = [0, 1, 1].map(Worker::new);
        let here = |workers: &[Worker]| Worker::here(|number| workers.get(number));
        assert!(!second.is_responsive(), "it has not begun");
        let at_work = second.begin(runtime.handle().clone());
        assert_eq!(here(&[first.clone(), second.clone()]), Some(1));
        assert_eq!(here(&[first.clone(), stranger]), None);
        assert!(second.is_responsive());
        drop(at_work);
        assert_eq!(here(&[first, second.clone()]), None);
        assert!(second.has_ended() && !second.is_responsive());
    }

    #[test]
    fn a_worker_that_runs_for_long_is_busy() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let worker = Worker::new(0);
        let _at_work = worker.begin(runtime.handle().clone());
        worker.runs();
        assert!(worker.is_responsive());
        worker.0.running.store(1, Ordering::Relaxed);
        while now() <= 1 + BUSY.as_millis() as u64 {
            std::thread::yield_now();
        }
        assert!(!worker.is_responsive());
        worker.0.running.store(1, Ordering::Relaxed);
        while !worker.is_stuck() {
            std::thread::yield_now();
        }
        worker.waits();
        assert!(!worker.is_stuck());
        assert!(worker.is_responsive());
    }
}
