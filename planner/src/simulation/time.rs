//! Virtual time.

/// A moment of virtual time: nanoseconds since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The moment after so many seconds. 584 years fit; a number below 0 is the start.
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e9) as u64)
    }

    /// Seconds since the start.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The moment so much later.
    #[must_use]
    pub fn after(self, seconds: f64) -> Self {
        Self(self.0 + Self::from_seconds(seconds).0)
    }

    /// Seconds since an earlier moment; 0 if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> f64 {
        Self(self.0.saturating_sub(earlier.0)).seconds()
    }
}
