//! Points in time that can be compared across a freeze, during which some clocks stand still.

use std::time::Duration;

use tokio::time::Instant;

use crate::Epoch;

/// A point in time on the monotonic clock and on the wall clock.
///
/// While a process is frozen some clocks may stand still: the monotonic clock of Linux excludes a suspended machine,
/// and the wall clock may be set back. The gap between two moments is therefore the larger that either clock saw; a
/// clock that went backwards counts as no gap. The monotonic clock is tokio's, so that a test can pause it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreezeAwareInstant {
    monotonic: Instant,
    /// Since 1970, to the kernel's last tick: 10 ms ago at most.
    wall: Duration,
    epoch: u64,
}

impl FreezeAwareInstant {
    pub(crate) fn now(epoch: &Epoch) -> Self {
        Self {
            monotonic: Instant::now(),
            // A test's freeze shows on the wall clock, as a real one does.
            wall: wall_time() + epoch.frozen(),
            epoch: epoch.current(),
        }
    }

    /// The same point on the clock that only goes forwards.
    pub(crate) fn instant(&self) -> Instant {
        self.monotonic
    }

    /// Returns the larger gap since an earlier point that either clock saw.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        monotonic.max(self.wall.saturating_sub(earlier.wall))
    }

    /// Whether the process cannot have been frozen since.
    pub(crate) fn is_of(&self, epoch: &Epoch) -> bool {
        self.epoch == epoch.current()
    }

    /// Whether no freeze can lie between two moments.
    pub(crate) fn same_epoch(&self, other: &Self) -> bool {
        self.epoch == other.epoch
    }
}

/// The wall clock at the kernel's last tick, which is cheaper to read; zero before 1970.
#[cfg(target_os = "linux")]
fn wall_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    Duration::try_from(now).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn wall_time() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_larger_gap_counts() {
        let then = FreezeAwareInstant::now(&Epoch::default());
        let wall_ahead = FreezeAwareInstant { wall: then.wall + HOUR, ..then };
        let monotonic_ahead = FreezeAwareInstant { monotonic: then.monotonic + HOUR, ..then };
        assert_eq!(wall_ahead.since(&then), HOUR);
        assert_eq!(monotonic_ahead.since(&then), HOUR);
    }

    #[test]
    fn a_freeze_that_a_test_plays_counts_like_a_real_one() {
        let epoch = Epoch::default();
        let then = FreezeAwareInstant::now(&epoch);
        epoch.freeze(HOUR);
        assert!(FreezeAwareInstant::now(&epoch).since(&then) >= HOUR);
    }

    #[test]
    fn clocks_that_go_backwards_say_nothing() {
        let then = FreezeAwareInstant::now(&Epoch::default());
        let before = then.monotonic.checked_sub(Duration::from_millis(1)).unwrap_or(then.monotonic);
        let earlier = FreezeAwareInstant {
            monotonic: before,
            wall: then.wall.saturating_sub(HOUR),
            epoch: then.epoch,
        };
        assert_eq!(earlier.since(&then), Duration::ZERO);
    }
}
