//! The numbers of a server: its counts, and what holds at one moment.

mod page;

use std::sync::atomic::{AtomicU64, Ordering};

use anyhost_core::Phase;
use anyhost_core::adapter::{HostHandles as _, Metric, Reading, RequestCounts};

pub(crate) use anyhost_core::adapter::CountedMethod;
pub(crate) use page::page;

use crate::shared::Shared;

/// The counts of one server.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: RequestCounts,
    /// Requests that were turned away because there were too many.
    pub(crate) shed: AtomicU64,
    /// Connections that were opened.
    pub(crate) connections: AtomicU64,
}

/// Returns what is to say of a server and its databases at this moment, but for what its process uses.
pub(crate) fn metrics<A>(shared: &Shared<A>) -> Vec<Metric> {
    let (host, connections) = (&shared.host, &shared.connections);
    let lifecycle = host.lifecycle();
    let ready = lifecycle.phase() == Phase::Ready && shared.readiness.last();
    let level = |number: usize| Reading::Level(number as u64);
    let mut metrics = vec![
        Metric::new(
            "http.server.active_requests",
            "{request}",
            "Requests being answered, and background work that outlasts its response",
            level(lifecycle.in_flight()),
        ),
        Metric::new(
            "http.server.open_connections",
            "{connection}",
            "Connections of clients that are open",
            level(connections.count()),
        ),
        Metric::new(
            "anyhost.ready",
            "1",
            "1 if this process is ready for requests, 0 if it starts, drains or misses its database",
            level(ready.into()),
        ),
        Metric::new(
            "anyhost.build_info",
            "1",
            "Always 1; the labels say what runs and where",
            level(1),
        )
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("platform", host.platform()),
    ];
    metrics.extend(shared.limit.most().map(|limit| {
        Metric::new(
            "http.server.active_requests.limit",
            "{request}",
            "Most requests that are answered at once before more are refused",
            level(limit),
        )
    }));
    if let Some(counts) = connections.counts() {
        metrics.extend(counts.requests.metrics());
        metrics.push(Metric::new(
            "http.server.requests.shed",
            "{request}",
            "Requests refused with 503 because too many were being answered (MAX_IN_FLIGHT)",
            Reading::Count(counts.shed.load(Ordering::Relaxed)),
        ));
        metrics.push(Metric::new(
            "http.server.connections.opened",
            "{connection}",
            "Connections that clients opened",
            Reading::Count(counts.connections.load(Ordering::Relaxed)),
        ));
    }
    metrics.extend(host.databases().metrics());
    metrics
}
