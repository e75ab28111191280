//! How a host runs processes.

use std::fmt;

/// The way a host runs processes, from which the connection strategy follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Paradigm {
    /// One process answers many requests at once, for days, until it gets a stop signal.
    LongRunning,
    /// A process is started as requests come in, frozen between them and multiplied in a burst.
    Serverless,
}

impl fmt::Display for Paradigm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LongRunning => "long-running",
            Self::Serverless => "serverless",
        })
    }
}
