//! How much time a run may take.

use std::time::Duration;

/// How thorough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Everything once and briefly, to test that it runs.
    Smoke,
    /// Only the headlines, in less than three minutes.
    Quick,
    /// Everything, in less than twenty minutes.
    Full,
}

impl Effort {
    /// The number of turns of each contender.
    #[must_use]
    pub fn rounds(self) -> usize {
        match self {
            Self::Smoke => 1,
            Self::Quick => 7,
            Self::Full => 9,
        }
    }

    /// How long one turn is. Short turns let a disturbance of the machine hit both sides of a pair.
    #[must_use]
    pub fn turn(self) -> Duration {
        match self {
            Self::Smoke => Duration::from_millis(20),
            Self::Quick => Duration::from_millis(500),
            Self::Full => Duration::from_millis(600),
        }
    }

    /// How long a contender runs unmeasured before its first turn.
    #[must_use]
    pub fn warm_up(self) -> Duration {
        self.turn() / 4
    }
}
