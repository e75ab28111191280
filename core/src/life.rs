//! The life of a process: one state machine on every host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

/// Where a process stands in its life. Phases only ever move forward.
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
pub struct Life(Arc<State>);

#[derive(Debug)]
struct State {
    phase: watch::Sender<Phase>,
    lanes: [Lane; LANES],
    idle: watch::Sender<()>,
    /// Whether anything has ever waited for it. With the counts in one order for all threads: either the guard
    /// that is dropped sees the waiter, or the waiter sees the count.
    awaited: AtomicBool,
}

/// Threads that count work apart from each other; more share.
const LANES: usize = 16;

/// The work that was begun and ended on one lane. Both only grow: what they differ by in the sum of all
/// lanes is unfinished. A lane has cache lines of its own, so that threads do not take them from each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// The lane of the current thread.
fn lane() -> usize {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LANE: usize = GIVEN.fetch_add(1, Ordering::Relaxed) % LANES;
    }
    // A thread that ends may drop guards after its own storage is gone.
    LANE.try_with(|lane| *lane).unwrap_or_default()
}

impl State {
    fn sum(&self, count: impl Fn(&Lane) -> &AtomicUsize) -> usize {
        let counts = self.lanes.iter().map(|lane| count(lane).load(Ordering::SeqCst));
        counts.fold(0, usize::wrapping_add)
    }

    /// Whether there was a moment, since this was called, without unfinished work.
    fn is_idle(&self) -> bool {
        // What has ended first: where as much had begun afterwards, nothing lay between.
        let ended = self.sum(|lane| &lane.ended);
        self.sum(|lane| &lane.begun) == ended
    }
}

impl Default for Life {
    fn default() -> Self {
        Self(Arc::new(State {
            phase: watch::Sender::new(Phase::Starting),
            lanes: std::array::from_fn(|_| Lane::default()),
            idle: watch::Sender::new(()),
            awaited: AtomicBool::new(false),
        }))
    }
}

impl Life {
    /// The current phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.phase.borrow()
    }

    /// Moves on to a later phase. An earlier one than the current is ignored: a process that has begun
    /// to drain never becomes ready again.
    pub fn advance(&self, to: Phase) {
        self.0.phase.send_if_modified(|phase| {
            let forward = to > *phase;
            if forward {
                *phase = to;
            }
            forward
        });
    }

    /// Waits until the process has reached a phase or gone beyond it.
    pub async fn reached(&self, phase: Phase) {
        let mut phases = self.0.phase.subscribe();
        // The sender lives in `self`, so waiting cannot fail before the phase is reached.
        let _ = phases.wait_for(|current| *current >= phase).await;
    }

    /// Counts one piece of accepted work until the returned guard is dropped.
    #[must_use = "the work counts as finished when the guard is dropped"]
    pub fn enter(&self) -> InFlight {
        self.0.lanes[lane()].begun.fetch_add(1, Ordering::SeqCst);
        InFlight(Arc::clone(&self.0))
    }

    /// How many pieces of accepted work are unfinished. What begins or ends meanwhile may be missing.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let begun = self.0.sum(|lane| &lane.begun);
        begun.saturating_sub(self.0.sum(|lane| &lane.ended))
    }

    /// Waits until no accepted work is unfinished.
    pub async fn idle(&self) {
        let mut idle = self.0.idle.subscribe();
        self.0.awaited.store(true, Ordering::SeqCst);
        while !self.0.is_idle() {
            // The sender lives in `self`; subscribed before the counts are read, no change is missed.
            let _ = idle.changed().await;
        }
    }
}

/// One piece of accepted work; finished when dropped.
#[derive(Debug)]
pub struct InFlight(Arc<State>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lanes[lane()].ended.fetch_add(1, Ordering::SeqCst);
        // Whether it was the last is for those who wait to find out: mostly nobody does.
        if self.0.awaited.load(Ordering::SeqCst) {
            self.0.idle.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_only_move_forward() {
        let life = Life::default();
        assert_eq!(life.phase(), Phase::Starting);
        life.advance(Phase::Draining);
        life.advance(Phase::Ready);
        assert_eq!(life.phase(), Phase::Draining);
    }

    #[tokio::test]
    async fn idle_waits_for_the_last_guard() {
        let life = Life::default();
        let (first, second) = (life.enter(), life.enter());
        let waiting = tokio::spawn({
            let life = life.clone();
            async move { life.idle().await }
        });
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.expect("the waiter does not panic");
        assert_eq!(life.in_flight(), 0);
    }

    #[tokio::test]
    async fn work_of_all_threads_is_waited_for() {
        let life = Life::default();
        let entering = || {
            let life = life.clone();
            std::thread::spawn(move || life.enter()).join().expect("no panic")
        };
        let guards: Vec<InFlight> = (0..LANES * 2).map(|_| entering()).collect();
        assert_eq!(life.in_flight(), LANES * 2);
        let waiter = life.clone();
        let waiting = tokio::spawn(async move { waiter.idle().await });
        for guard in guards {
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
            drop(guard);
        }
        waiting.await.expect("the waiter does not panic");
        assert_eq!(life.in_flight(), 0);
    }

    #[tokio::test]
    async fn reached_returns_at_once_for_a_phase_gone_by() {
        let life = Life::default();
        life.advance(Phase::Stopped);
        life.reached(Phase::Ready).await;
    }
}
