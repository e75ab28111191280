//! Why requests were turned away, counted where it happens.

use serde::Serialize;

/// What a request that was turned away ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// All environments that may run at once were busy.
    Environments,
    /// More requests a second than ten for each environment that may run.
    RequestRate,
    /// More new environments at once than the host starts.
    Burst,
    /// It waited too long, and all instances that may run did run.
    Instances,
    /// It waited too long while fewer instances ran than may: the scaler or a start was too slow.
    Scaler,
    /// Its process had as many requests as `MAX_IN_FLIGHT` lets in.
    InFlight,
    /// All connections of its process were in use for too long.
    Pool,
    /// All server connections of the pooler, or the server's processors, were in use for too long.
    Server,
    /// It took longer than the host lets a request take.
    TimeLimit,
    /// It took longer than its client waits.
    Client,
}

/// Requests that were turned away, by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Refusals(Vec<(Cause, u64)>);

impl Refusals {
    pub(crate) fn add(&mut self, cause: Cause, many: u64) {
        if many == 0 {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, count)) => *count += many,
            None => self.0.push((cause, many)),
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// How many had this cause.
    #[must_use]
    pub fn by(&self, cause: Cause) -> u64 {
        self.0.iter().find(|(known, _)| *known == cause).map_or(0, |(_, count)| *count)
    }

    /// The most frequent cause; `None` if no request was turned away.
    #[must_use]
    pub fn main(&self) -> Option<Cause> {
        self.0.iter().max_by_key(|(_, count)| *count).map(|(cause, _)| *cause)
    }
}
