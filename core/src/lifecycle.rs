//! The life of a process: one state machine on every host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

/// A phase in the life of a process. Phases only move forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// `App::start` has not returned; no request reaches the App.
    Starting,
    /// Requests are answered.
    Ready,
    /// The host said stop: readiness is gone, what was accepted is finished.
    Draining,
    /// Nothing runs any more.
    Stopped,
}

/// The life of one process, shared by everything that must know its phase or keep it alive.
#[derive(Clone, Debug)]
pub struct Lifecycle(Arc<State>);

#[derive(Debug)]
struct State {
    phase: watch::Sender<Phase>,
    /// Work that was accepted and is unfinished.
    in_flight: AtomicUsize,
    idle: watch::Sender<()>,
    /// Whether anything has ever waited for it. SeqCst: either the guard that is dropped sees the
    /// waiter, or the waiter sees the count.
    awaited: AtomicBool,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self(Arc::new(State {
            phase: watch::Sender::new(Phase::Starting),
            in_flight: AtomicUsize::new(0),
            idle: watch::Sender::new(()),
            awaited: AtomicBool::new(false),
        }))
    }
}

impl Lifecycle {
    /// The current phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.phase.borrow()
    }

    /// Moves on to a later phase. An earlier one than the current is ignored: a process that has begun
    /// to drain never becomes ready again.
    pub(crate) fn advance(&self, to: Phase) {
        self.0.phase.send_if_modified(|phase| {
            let forward = to > *phase;
            if forward {
                *phase = to;
            }
            forward
        });
    }

    /// Waits until the process has reached a phase or gone beyond it.
    pub async fn wait_for(&self, phase: Phase) {
        let mut phases = self.0.phase.subscribe();
        // The sender lives in `self`, so waiting cannot fail before the phase is reached.
        let _ = phases.wait_for(|current| *current >= phase).await;
    }

    /// Counts one piece of accepted work until the returned guard is dropped.
    #[must_use = "the work counts as finished when the guard is dropped"]
    pub fn track(&self) -> InFlight {
        self.0.begin();
        InFlight(Arc::clone(&self.0))
    }

    /// How many pieces of accepted work are unfinished.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::SeqCst)
    }

    /// Waits until no accepted work is unfinished.
    pub async fn wait_idle(&self) {
        let mut idle = self.0.idle.subscribe();
        self.0.awaited.store(true, Ordering::SeqCst);
        while self.in_flight() > 0 {
            // The sender lives in `self`; subscribed before the count is read, no change is missed.
            let _ = idle.changed().await;
        }
    }
}

/// One piece of accepted work; finished when dropped.
#[derive(Debug)]
pub struct InFlight(Arc<State>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl State {
    fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
    }

    fn end(&self) {
        let last = self.in_flight.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.awaited.load(Ordering::SeqCst) {
            self.idle.send_replace(());
        }
    }
}

/// Work that begins and ends many times, such as that of a connection. While it goes on it counts as one piece of accepted
/// work. A drop ends it.
#[derive(Debug)]
pub struct Activity {
    lifecycle: Lifecycle,
    busy: AtomicBool,
}

impl Activity {
    /// Work that has not begun.
    #[must_use]
    pub fn new(lifecycle: Lifecycle) -> Self {
        Self { lifecycle, busy: AtomicBool::new(false) }
    }

    /// Begins the work, if it is not going on.
    pub fn begin(&self) {
        if !self.busy.swap(true, Ordering::Relaxed) {
            self.lifecycle.0.begin();
        }
    }

    /// Ends the work, if it is going on.
    pub fn end(&self) {
        if self.busy.swap(false, Ordering::Relaxed) {
            self.lifecycle.0.end();
        }
    }

    /// Whether the work is going on.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_only_move_forward() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.phase(), Phase::Starting);
        lifecycle.advance(Phase::Draining);
        lifecycle.advance(Phase::Ready);
        assert_eq!(lifecycle.phase(), Phase::Draining);
    }

    #[tokio::test]
    async fn idle_waits_for_the_last_guard() {
        let lifecycle = Lifecycle::default();
        let (first, second) = (lifecycle.track(), lifecycle.track());
        let waiting = tokio::spawn({
            let lifecycle = lifecycle.clone();
            async move { lifecycle.wait_idle().await }
        });
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.expect("the waiter does not panic");
        assert_eq!(lifecycle.in_flight(), 0);
    }

    #[tokio::test]
    async fn work_of_all_threads_is_waited_for() {
        let lifecycle = Lifecycle::default();
        let entering = || {
            let lifecycle = lifecycle.clone();
            std::thread::spawn(move || lifecycle.track()).join().expect("no panic")
        };
        let guards: Vec<InFlight> = (0..32).map(|_| entering()).collect();
        assert_eq!(lifecycle.in_flight(), 32);
        let waiter = lifecycle.clone();
        let waiting = tokio::spawn(async move { waiter.wait_idle().await });
        for guard in guards {
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
            drop(guard);
        }
        waiting.await.expect("the waiter does not panic");
        assert_eq!(lifecycle.in_flight(), 0);
    }

    #[tokio::test]
    async fn reached_returns_at_once_for_a_phase_gone_by() {
        let lifecycle = Lifecycle::default();
        lifecycle.advance(Phase::Stopped);
        lifecycle.wait_for(Phase::Ready).await;
    }
}
