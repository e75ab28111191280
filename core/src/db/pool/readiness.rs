//! Readiness: whether the database answers. A busy pool is ready.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Pool;
use crate::db::connect::{Connect, ConnectFailure, Connection};
use crate::db::error::Error;

/// How long an answer of the server counts as a sign of life.
const FRESH: Duration = Duration::from_secs(1);

impl<C: Connect> Pool<C> {
    /// Whether the database shows a sign of life within this time: an answer on any connection a moment ago, or one
    /// to a ping on an idle connection, or a new connection. It does not wait in the queue. `None` if it takes
    /// longer.
    pub(in crate::db) async fn ready(
        self: &Arc<Self>,
        within: Duration,
    ) -> Option<Result<(), Error>> {
        if self.is_closed() {
            return Some(Err(Error::Closed));
        }
        if self.monitors().iter().any(|monitor| monitor.answered().elapsed() < FRESH) {
            return Some(Ok(()));
        }
        let until = Instant::now() + within;
        let answer = tokio::time::timeout_at(until, self.sign_of_life(until)).await.ok()?;
        Some(answer.map_err(ConnectFailure::into_error))
    }

    async fn sign_of_life(self: &Arc<Self>, until: Instant) -> Result<(), ConnectFailure> {
        while let Some(guard) = self.try_idle() {
            if self.usable(guard, Some(until)).await.is_some() {
                return Ok(());
            }
        }
        // An attempt is repeated already: one at a time while the server is away.
        if let Some((failure, _)) = self.watched_outage() {
            return if self.is_open_but_refused(&failure) { Ok(()) } else { Err(failure) };
        }
        // Every connection is in use, so another one is opened. Beyond the budget it is one of those that the plan
        // leaves for administration.
        let permit = Arc::clone(&self.budget).try_acquire_owned().ok();
        match (self.connector.connect(None).await, permit) {
            (Ok(opened), Some(permit)) => self.add(opened, permit),
            (Ok(opened), None) => opened.goodbye().await,
            (Err(failure), _) if self.is_open_but_refused(&failure) => {}
            (Err(failure), _) => return Err(failure),
        }
        Ok(())
    }
}
