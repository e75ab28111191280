//! The end of a server: everything that was accepted is finished, within the host's grace.

use std::fmt;
use std::time::{Duration, Instant};

use anyhost_core::Phase;
use anyhost_core::adapter::{Exit, Handler, HostHandles as _};
use tokio::time::timeout;

use crate::connection::Stage;
use crate::shared::Shared;

/// How long a WebSocket has for its last frame.
const LAST_FRAME: Duration = Duration::from_millis(200);

/// What became of the work that was unfinished when the host said stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Requests in flight when the stop came.
    pub in_flight: usize,
    /// Requests that were cut off because the grace was over.
    pub aborted: usize,
    /// `App::stop` returned within the grace.
    pub stopped: bool,
    /// From the stop to the end.
    pub took: Duration,
}

impl Drained {
    /// The exit code of a process that ends like this. A client that never finishes is no reason for a stop to fail;
    /// an App that does not stop is.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.stopped { Exit::Done } else { Exit::Aborted }
    }
}

impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { in_flight, aborted, took, stopped: _ } = self;
        write!(
            f,
            "drained in {:.3} s: {in_flight} in flight at the stop, {aborted} cut off",
            took.as_secs_f64()
        )
    }
}

/// Ends a server. `accepting` ends when no listener accepts connections any more.
pub(crate) async fn drain<A: Handler>(
    shared: &Shared<A>,
    accepting: impl Future<Output = ()>,
) -> Drained {
    let begun = Instant::now();
    let grace = shared.host.grace();
    // The last part of the grace is for what comes after the requests: `stop`, connections, logs.
    let reserve = Duration::from_secs(2).min(grace / 4);
    let deadline = begun + grace.saturating_sub(reserve);
    let left = |until: Instant| until.saturating_duration_since(Instant::now());
    let (lifecycle, connections) = (shared.host.lifecycle(), &shared.connections);
    // Count before the drain is announced: the App may end streams and WebSockets at once.
    let in_flight = lifecycle.in_flight();
    connections.advance(Stage::Draining);
    shared.host.advance(Phase::Draining);
    tracing::info!("draining");
    let open =
        || -> usize { shared.host.databases().stats().iter().map(|database| database.open).sum() };
    let database_connections = open();

    if !shared.config.lame_duck.is_zero() {
        tokio::time::sleep(shared.config.lame_duck.min(left(deadline))).await;
    }
    connections.advance(Stage::Closing);
    accepting.await;
    let finished = timeout(left(deadline), async {
        connections.empty().await;
        // Work that belongs to no connection: the App may hold guards of its own.
        lifecycle.wait_idle().await;
    });
    let aborted = match finished.await {
        Ok(()) => 0,
        Err(_) => lifecycle.in_flight(),
    };
    if aborted > 0 {
        tracing::warn!("the grace is over: {aborted} requests are cut off");
        // A WebSocket is closed with 1001 if its App lets it.
        connections.advance(Stage::CutOff);
        let _ = timeout(LAST_FRAME.min(reserve / 4), connections.empty()).await;
    }
    connections.advance(Stage::Aborted);
    let end = begun + grace;
    let stopped = match shared.app() {
        Some(app) => timeout(left(end), app.stop()).await.is_ok(),
        None => true,
    };
    if !stopped {
        tracing::warn!("the App's `stop` did not end within the grace");
    }
    let closing = left(end);
    if timeout(closing, shared.host.databases().close(closing)).await.is_err() {
        tracing::warn!("the database connections were not closed within the grace");
    }
    shared.host.advance(Phase::Stopped);
    let drained = Drained { in_flight, aborted, stopped, took: begun.elapsed() };
    tracing::info!(
        in_flight,
        finished = in_flight.saturating_sub(aborted),
        aborted,
        database_connections,
        database_connections_left = open(),
        seconds = drained.took.as_secs_f64(),
        "drained"
    );
    drained
}
