//! The connections of one pool at one moment, as errors show them.

use std::fmt;
use std::time::Duration;

/// The connections of one pool at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolState {
    /// Connections that are open or being opened.
    pub open: usize,
    /// The most that may be open.
    pub max: usize,
    /// Connections in use.
    pub in_use: usize,
    /// Idle connections.
    pub idle: usize,
    /// Callers that wait for one.
    pub waiting: usize,
    /// The place in the code that has held a connection longest, and for how long.
    pub longest_holder: Option<(String, Duration)>,
    /// The last error of connecting, if it failed.
    pub last_connect_error: Option<String>,
}

impl fmt::Display for PoolState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { open, max, in_use, idle, waiting, longest_holder, last_connect_error } = self;
        write!(f, "open={open}/{max} in_use={in_use} idle={idle} waiting={waiting}")?;
        if let Some((place, held)) = longest_holder {
            write!(f, ", held longest at {place} for {:.1} s", held.as_secs_f64())?;
        }
        if let Some(error) = last_connect_error {
            write!(f, ", last connect error: {error}")?;
        }
        Ok(())
    }
}
