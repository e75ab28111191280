//! Closing a connection, and the time until the server does not count it any more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::Executor;
use sqlx_core::sql_str::AssertSqlSafe;
use tokio::time::Instant;

use super::{Connect, Connection, Connector, Release};
use crate::db::driver::{Driver, ServerIdentity};
use crate::db::session::Session;

/// The least time that a server is given to end a closed connection after noticing that it was closed. With four
/// processes waiting for each processor, 5 ms were too few in three storms of six, 25 ms in none (November 2026). A
/// slower server is given as long as the last connection took to open: ending one takes less.
const ENDS_WITHIN: Duration = Duration::from_millis(25);

/// The upper bound: a connect slower than this measured queueing, not the server.
const ENDS_WITHIN_AT_MOST: Duration = Duration::from_millis(500);

/// The most connections that are opened to reach one particular server of those behind a name.
const TRIES: usize = 4;

impl<DB: Driver> Connector<DB> {
    /// Closes the socket, and returns how long the server still counts the connection.
    pub(super) fn close(self: &Arc<Self>, session: Session<DB>) -> Release<Session<DB>> {
        let Session { mut connection, state, server, .. } = session;
        let busy = state.busy;
        if let Some(interrupt) = server.interrupt {
            // SQLite: the driver's thread has the file open, so the place is free when the thread has ended.
            interrupt.store(true, Ordering::Relaxed);
            return Release::Work(Box::pin(async move {
                if DB::check_thread(&mut connection).await.is_ok() {
                    let _ = sqlx::Connection::close(connection).await;
                }
                None
            }));
        }
        drop(connection);
        if DB::NOTICES_CLOSE_WITHIN.is_zero() {
            return Release::After(Duration::ZERO);
        }
        let left_behind = server.backend.filter(|_| server.survives_close && busy);
        match left_behind.and_then(|backend| Some((backend, DB::cancel(backend.number)?))) {
            Some((backend, statement)) => {
                let connector = Arc::clone(self);
                Release::Work(Box::pin(async move {
                    // Half of the time: a caller that waits for this place has the other half.
                    let until = Instant::now() + connector.connect_timeout / 2;
                    let mut opened = connector.connect_to(backend.server, until).await?;
                    if opened.leads_to(backend.server) {
                        // The statement contains only a number of ours. An error is ignored: the work may have ended already.
                        let statement = AssertSqlSafe(statement);
                        let connection = &mut opened.connection;
                        let _ = DB::executor(connection).fetch_optional(statement).await;
                    }
                    Some(opened)
                }))
            }
            None => Release::After(
                self.ends_within() + if busy { DB::NOTICES_CLOSE_WITHIN } else { Duration::ZERO },
            ),
        }
    }

    /// Opens a connection to this one of the servers behind the name; after [`TRIES`] attempts, to any of them.
    async fn connect_to(
        self: &Arc<Self>,
        server: ServerIdentity,
        until: Instant,
    ) -> Option<Session<DB>> {
        let mut tries = TRIES;
        loop {
            let opened = self.connect(Some(until)).await.ok()?;
            tries -= 1;
            if opened.leads_to(server) || tries == 0 || Instant::now() >= until {
                return Some(opened);
            }
            opened.goodbye().await;
            // The server still counts this connection until it has noticed, and the budget must hold at every
            // instant.
            tokio::time::sleep(self.ends_within()).await;
        }
    }

    /// How long the server has to end a connection once it has noticed.
    fn ends_within(&self) -> Duration {
        let connect_time = Duration::from_micros(self.connect_time.load(Ordering::Relaxed));
        connect_time.clamp(ENDS_WITHIN, ENDS_WITHIN_AT_MOST)
    }
}
