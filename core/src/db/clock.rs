//! Moments that stay comparable across a freeze, when some clocks stand still.

use std::time::{Duration, Instant, SystemTime};

use crate::Epoch;

/// A moment on every clock there is.
///
/// While a process is frozen some clocks may stand still: the monotonic clock of Linux excludes a suspended
/// machine, and the wall clock may be set back. The gap between two moments is therefore the largest that
/// any clock saw; a clock that went backwards says nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
    boot: Option<Duration>,
    epoch: u64,
}

impl Moment {
    pub(crate) fn now(epoch: &Epoch) -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
            boot: boot_time(),
            epoch: epoch.current(),
        }
    }

    /// The same moment on the clock that only goes forwards.
    pub(crate) fn instant(&self) -> Instant {
        self.monotonic
    }

    /// The largest gap since an earlier moment that any clock saw.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        let boot = match (self.boot, earlier.boot) {
            (Some(now), Some(then)) => now.saturating_sub(then),
            _ => Duration::ZERO,
        };
        monotonic.max(wall).max(boot)
    }

    /// Whether no freeze can lie between two moments.
    pub(crate) fn same_epoch(&self, other: &Self) -> bool {
        self.epoch == other.epoch
    }
}

/// The time since the machine was booted, suspended time included.
#[cfg(target_os = "linux")]
fn boot_time() -> Option<Duration> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Some(Duration::new(now.tv_sec.try_into().ok()?, now.tv_nsec.try_into().ok()?))
}

#[cfg(not(target_os = "linux"))]
fn boot_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_largest_gap_counts() {
        let then = Moment::now(&Epoch::default());
        let wall_ahead = Moment { wall: then.wall + HOUR, ..then };
        let monotonic_ahead = Moment { monotonic: then.monotonic + HOUR, ..then };
        let boot_ahead = Moment { boot: then.boot.map(|boot| boot + HOUR), ..then };
        assert_eq!(wall_ahead.since(&then), HOUR);
        assert_eq!(monotonic_ahead.since(&then), HOUR);
        assert_eq!(boot_ahead.since(&then), HOUR);
    }

    #[test]
    fn clocks_that_go_backwards_say_nothing() {
        let then = Moment::now(&Epoch::default());
        let earlier = Moment {
            monotonic: then
                .monotonic
                .checked_sub(Duration::from_millis(1))
                .unwrap_or(then.monotonic),
            wall: then.wall - HOUR,
            boot: Some(Duration::ZERO),
            epoch: then.epoch,
        };
        assert_eq!(earlier.since(&then), Duration::ZERO);
    }
}
