//! The report of closing a pool.

use std::fmt;
use std::time::Duration;

/// The outcome of closing a pool, as numbers of connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// The name of the pool, as in [`Stats`](super::Stats).
    pub pool: String,
    /// Connections that were closed in time.
    pub closed: usize,
    /// Connections that were still in use when the time was up: they end with the process.
    pub aborted: usize,
    /// The places in the code that hold these, and for how long.
    pub holders: Vec<(String, Duration)>,
    /// How long closing took.
    pub took: Duration,
}

impl CloseReport {
    /// The report of a pool whose connections cannot be observed individually.
    pub(crate) fn of_adopted(pool: String, closed: bool, took: Duration) -> Self {
        let drained = Self { pool, aborted: usize::from(!closed), took, ..Self::default() };
        drained.log();
        drained
    }

    pub(crate) fn log(&self) {
        if self.aborted == 0 {
            tracing::debug!("{self}");
        } else {
            tracing::warn!("{self}");
        }
    }
}

impl fmt::Display for CloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool, closed, aborted, holders, took } = self;
        write!(
            f,
            "database {pool}: {closed} connections closed in {:.1} s, {aborted} still in use",
            took.as_secs_f64()
        )?;
        for (place, held) in holders {
            write!(f, "; held at {place} for {:.1} s", held.as_secs_f64())?;
        }
        Ok(())
    }
}
