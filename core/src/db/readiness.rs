//! Whether a database shows a sign of life, which a pool that is busy does too.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Error;
use super::connect::Outage;
use super::driver::Driver;
use super::pool::Pool;

/// How long an answer of the server counts as a sign of life.
const FRESH: Duration = Duration::from_secs(1);

impl<DB: Driver> Pool<DB> {
    /// Whether the database shows a sign of life within this time: an answer on any connection a moment ago, or
    /// one to a ping on an idle connection, or a new connection. The question stands in no queue.
    pub(super) async fn ready(self: &Arc<Self>, within: Duration) -> Result<(), Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        if self.cards().iter().any(|card| card.answered().elapsed() < FRESH) {
            return Ok(());
        }
        let until = Instant::now() + within;
        let outcome = tokio::time::timeout(within, self.sign_of_life(until)).await;
        outcome.unwrap_or_else(|_| {
            let text = format!("no answer within {} ms; {}", within.as_millis(), self.state());
            let cause = sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, text));
            Err(Error::Unreachable { cause: Arc::new(cause) })
        })
    }

    async fn sign_of_life(self: &Arc<Self>, until: Instant) -> Result<(), Error> {
        while let Some(lent) = self.idle() {
            if self.proven(lent, Some(until)).await.is_some() {
                return Ok(());
            }
        }
        let serves = |outage: &Outage| outage.is_from_server() && !self.cards().is_empty();
        // Somebody is trying to connect already, and tries on: one attempt at a time while the server is away.
        if let Some(outage) = self.connector.last_outage() {
            return if serves(&outage) { Ok(()) } else { Err(outage.into_error()) };
        }
        // Every connection is in use: a further one tells. Beyond the budget it is one of those that are left for
        // administration.
        let permit = Arc::clone(&self.budget).try_acquire_owned().ok();
        match self.connector.attempt(&self.plan, None).await {
            Ok(opened) => {
                match permit {
                    Some(permit) => self.add(self.connector.slot(
                        self,
                        opened,
                        permit,
                        super::shelf::Place::default(),
                    )),
                    None => drop(sqlx::Connection::close(opened.connection).await),
                }
                Ok(())
            }
            Err(outage) if serves(&outage) => Ok(()),
            Err(outage) => Err(outage.into_error()),
        }
    }
}
