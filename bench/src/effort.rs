//! How much time a run may take.

use std::time::Duration;

/// How thorough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Everything once, for moments: whether it runs at all.
    Smoke,
    /// The headlines alone, in less than three minutes.
    Quick,
    /// Everything, in less than twenty minutes.
    Full,
}

impl Effort {
    /// How often each contender has its turn.
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
