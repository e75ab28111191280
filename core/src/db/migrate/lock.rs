//! The lock that lets one process at a time migrate: polled for, so that no statement waits while it holds a snapshot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;

use crate::db::Error;
use crate::db::driver::Driver;
use crate::db::error::DriverMessage;

/// The shortest and the longest pause between two polls.
const PAUSE: std::ops::Range<u64> = 50..250;

/// Takes the lock, for as long as the connection is open. Waits while its holder is at work, and for `patience` while
/// it does nothing.
pub(super) async fn take<DB: Driver>(
    connection: &mut DB::Connection,
    patience: Duration,
) -> Result<(), Error> {
    let mut worked = Instant::now();
    let mut logged = false;
    loop {
        let holder = match DB::try_lock_migrations(connection).await {
            Ok(None) => return Ok(()),
            Ok(Some(holder)) => holder,
            Err(error) => {
                return Err(Error::Migration {
                    text: format!(
                        "the lock for migrations cannot be taken: {}",
                        DriverMessage(&error)
                    ),
                    cause: Arc::new(MigrateError::Execute(error)),
                });
            }
        };
        let name = if holder.name.is_empty() { "another session" } else { holder.name.as_str() };
        if holder.works {
            worked = Instant::now();
        }
        if worked.elapsed() >= patience {
            return Err(Error::Schema(format!(
                "the lock for migrations is held by {name}, which has done nothing for more than {} s",
                patience.as_secs_f64()
            )));
        }
        if !std::mem::replace(&mut logged, true) {
            tracing::info!("another migration is under way: waiting for {name}");
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(PAUSE))).await;
    }
}
