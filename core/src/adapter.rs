//! The parts that hosts share, for authors of adapters and for tests that act as a host. An App needs none of them.
//!
//! An adapter builds a [`Host`](crate::Host), lets a [`Factory`] [`start`] the [`Handler`], makes requests with
//! [`Arrival`], lets [`answer`] run them, and moves the [`Lifecycle`](crate::Lifecycle) of the process on.

pub use crate::answer::{answer, refuse};
pub use crate::databases::{CloseCounts, CloseReport, Databases, Metric, Reading, Stats, Times};
pub use crate::deadline::{remaining, within};
#[doc(inline)]
pub use crate::entry_points;
pub use crate::epoch::Epoch;
pub use crate::exit::{Exit, Failure, conclude};
pub use crate::factory::Factory;
pub use crate::handler::{Handler, ServiceHandler};
pub use crate::host::{HostBuilder, HostHandles};
pub use crate::http::{Arrival, Caller, Refusal, is_hop_by_hop, is_host};
pub use crate::lifecycle::Activity;
pub use crate::logs::{LogFilter, LogFormat, LogLevel, Logs, to_stderr_unless};
pub use crate::process_metrics::ProcessMetrics;
pub use crate::program::{Verb, check, migrate, outside_of_runtimes, start, until_stopped};
pub use crate::request_counts::{CountedMethod, RequestCounts};
pub use crate::telemetry::{RequestSpan, Telemetry, Traces};
