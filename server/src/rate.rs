//! The least rate at which a body must move while the other side is what is waited for.

use std::fmt;
use std::time::Duration;

use anyhost_core::{ByteSize, Setting};

/// How long a body may take whatever its rate.
const GRACE: Duration = Duration::from_secs(20);

/// The least rate of a body in bytes per second: `MIN_BODY_RATE`, default 500. 0 turns it off.
///
/// It holds after 20 seconds of waiting for the client. The time that the App takes counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinBodyRate(u64);

impl Default for MinBodyRate {
    fn default() -> Self {
        Self(500)
    }
}

impl MinBodyRate {
    /// So many bytes per second.
    #[must_use]
    pub const fn new(bytes_per_second: u64) -> Self {
        Self(bytes_per_second)
    }

    /// Returns how long the client may have been waited for after so many bytes; `None` if there is no limit.
    pub(crate) fn patience(self, bytes: u64) -> Option<Duration> {
        let millis = bytes.saturating_mul(1000).checked_div(self.0)?;
        Some(GRACE + Duration::from_millis(millis))
    }
}

impl fmt::Display for MinBodyRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Setting for MinBodyRate {
    fn expected() -> String {
        "bytes per second such as 500 or 1K, or 0 for no limit".into()
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "0" => Some(Self(0)),
            _ => ByteSize::parse(text).map(|ByteSize(bytes)| Self(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_buys_time() {
        let rate = MinBodyRate::parse("500").expect("a rate");
        assert_eq!(rate.patience(0), Some(GRACE));
        assert_eq!(rate.patience(5000), Some(GRACE + Duration::from_secs(10)));
        assert_eq!(MinBodyRate::parse("0").and_then(|rate| rate.patience(0)), None);
    }
}
