//! What a configuration misses, taken from the run that it explains.

use std::fmt;

use serde::Serialize;

use crate::simulation::Cause;
use crate::text::{duration, percent};

/// What a configuration misses.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Fault {
    /// Too many requests are turned away.
    Refused {
        /// The share of requests.
        share: f64,
        /// The largest share that is allowed.
        allowed: f64,
        /// What most of them ran into.
        cause: Cause,
        /// What that was, with the figures of the run.
        because: String,
    },
    /// The 99th percentile of latency is too large.
    Slow {
        /// In seconds.
        p99: f64,
        /// The largest that is allowed, in seconds.
        allowed: f64,
    },
    /// Too many requests wait for a process to start.
    Cold {
        /// The share of requests.
        share: f64,
        /// The largest share that is allowed.
        allowed: f64,
    },
    /// Too much is in use in the busiest minute.
    Headroom {
        /// What is in use.
        resource: Resource,
        /// The share of it.
        utilisation: f64,
        /// The largest share that is allowed.
        allowed: f64,
    },
    /// The database has too few connections.
    Connections {
        /// The least `max_connections` that works.
        needed: usize,
        /// What it has.
        given: usize,
        /// US dollars a month, if it had as many.
        month: f64,
    },
    /// The host runs one process, and more were asked for.
    Single,
}

/// Something that can be used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// Processors of the instances.
    Processors,
    /// Processor credits of burstable machines, over the whole time.
    Credits,
    /// Places for requests.
    Places,
    /// Connections of a process.
    Pool,
    /// Connections of the pooler to the server.
    ServerConnections,
    /// Processors of the database server.
    DatabaseProcessors,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Processors => "the processors",
            Self::Credits => "the processor time that burst credits pay for",
            Self::Places => "the places for requests",
            Self::Pool => "the connections of a process",
            Self::ServerConnections => "the pooler's server connections",
            Self::DatabaseProcessors => "the database's processors",
        })
    }
}

impl Fault {
    /// How far a configuration is from the goals; larger is worse.
    #[must_use]
    pub fn distance(&self) -> f64 {
        match self {
            Self::Connections { needed, given, .. } => *needed as f64 / (*given).max(1) as f64,
            Self::Headroom { utilisation, allowed, .. } => 10.0 * utilisation / allowed,
            Self::Slow { p99, allowed } => 100.0 * p99 / allowed,
            Self::Cold { share, .. } => 50.0 * (1.0 + share),
            Self::Refused { share, .. } => 1e4 * (1.0 + share),
            Self::Single => 1e6,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { share, because, .. } => {
                write!(f, "turns away {} of the requests: {because}", percent(*share))
            }
            Self::Slow { p99, allowed } => {
                write!(f, "p99 is {}, above {}", duration(*p99), duration(*allowed))
            }
            Self::Cold { share, allowed } => write!(
                f,
                "{} of the requests wait for a start, above {}",
                percent(*share),
                percent(*allowed)
            ),
            Self::Headroom { resource: Resource::Credits, utilisation, allowed } => write!(
                f,
                "uses {} of the processor time that is its own, above {}",
                percent(*utilisation),
                percent(*allowed)
            ),
            Self::Headroom { resource, utilisation, allowed } => write!(
                f,
                "{} of {resource} are in use in the busiest minute, above {}",
                percent(*utilisation),
                percent(*allowed)
            ),
            Self::Connections { needed, given, month } => write!(
                f,
                "the database has {given} connections; with max_connections {needed} it would do, at {} a month",
                crate::text::dollars(*month)
            ),
            Self::Single => f.write_str("runs one process, so a failure or a deploy is an outage"),
        }
    }
}
