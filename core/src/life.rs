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
pub struct Life(Arc<Hold>);

/// What the clones of one handle share: the life, and where they count.
#[derive(Debug)]
struct Hold {
    state: Arc<State>,
    lane: usize,
}

#[derive(Debug)]
struct State {
    phase: watch::Sender<Phase>,
    lanes: [Lane; LANES],
    /// Lanes that were given to threads.
    given: AtomicUsize,
    idle: watch::Sender<()>,
    /// Whether anybody has ever waited for it. With the counts in one order for all threads: of a guard that is
    /// dropped and a wait that begins, one sees the other.
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
        let state = State {
            phase: watch::Sender::new(Phase::Starting),
            lanes: std::array::from_fn(|_| Lane::default()),
            given: AtomicUsize::new(0),
            idle: watch::Sender::new(()),
            awaited: AtomicBool::new(false),
        };
        Self(Arc::new(Hold { state: Arc::new(state), lane: 0 }))
    }
}

impl Life {
    /// The same life, for one thread that begins much work: it counts its own apart from all others.
    #[must_use]
    pub fn apart(&self) -> Self {
        let state = Arc::clone(&self.0.state);
        let lane = 1 + state.given.fetch_add(1, Ordering::Relaxed) % (LANES - 1);
        Self(Arc::new(Hold { state, lane }))
    }

    /// The current phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.state.phase.borrow()
    }

    /// Moves on to a later phase. An earlier one than the current is ignored: a process that has begun
    /// to drain never becomes ready again.
    pub fn advance(&self, to: Phase) {
        self.0.state.phase.send_if_modified(|phase| {
            let forward = to > *phase;
            if forward {
                *phase = to;
            }
            forward
        });
    }

    /// Waits until the process has reached a phase or gone beyond it.
    pub async fn reached(&self, phase: Phase) {
        let mut phases = self.0.state.phase.subscribe();
        // The sender lives in `self`, so waiting cannot fail before the phase is reached.
        let _ = phases.wait_for(|current| *current >= phase).await;
    }

    /// Counts one piece of accepted work until the returned guard is dropped.
    #[must_use = "the work counts as finished when the guard is dropped"]
    pub fn enter(&self) -> InFlight {
        self.0.state.lanes[self.0.lane].begun.fetch_add(1, Ordering::SeqCst);
        InFlight(Arc::clone(&self.0))
    }

    /// How many pieces of accepted work are unfinished. What begins or ends meanwhile may be missing.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let begun = self.0.state.sum(|lane| &lane.begun);
        begun.saturating_sub(self.0.state.sum(|lane| &lane.ended))
    }

    /// Waits until no accepted work is unfinished.
    pub async fn idle(&self) {
        let mut idle = self.0.state.idle.subscribe();
        self.0.state.awaited.store(true, Ordering::SeqCst);
        while !self.0.state.is_idle() {
            // The sender lives in `self`; subscribed before the counts are read, no change is missed.
            let _ = idle.changed().await;
        }
    }
}

/// One piece of accepted work; finished when dropped.
#[derive(Debug)]
pub struct InFlight(Arc<Hold>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let Hold { state, lane } = &*self.0;
        state.lanes[*lane].ended.fetch_add(1, Ordering::SeqCst);
        // Whether it was the last is for those who wait to find out: mostly nobody does.
        if state.awaited.load(Ordering::SeqCst) {
            state.idle.send_replace(());
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
        let apart: Vec<Life> = (0..LANES * 2).map(|_| life.apart()).collect();
        let guards: Vec<InFlight> = apart.iter().map(Life::enter).collect();
        assert_eq!(apart[0].in_flight(), LANES * 2);
        let waiting = tokio::spawn(async move { life.idle().await });
        for guard in guards {
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
            drop(guard);
        }
        waiting.await.expect("the waiter does not panic");
        assert_eq!(apart[1].in_flight(), 0);
        apart[0].advance(Phase::Stopped);
        assert_eq!(apart[1].phase(), Phase::Stopped);
    }

    #[tokio::test]
    async fn reached_returns_at_once_for_a_phase_gone_by() {
        let life = Life::default();
        life.advance(Phase::Stopped);
        life.reached(Phase::Ready).await;
    }
}
