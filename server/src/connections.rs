//! The connections of one server: how many there are, and how they end together.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhost_core::adapter::Handler;
use tokio::sync::watch;

use crate::connection::{Connection, Stage, Transport, serve};
use crate::metrics::Counts;
use crate::shared::Shared;

/// The connections of one server.
pub(crate) struct Connections {
    stage: watch::Sender<Stage>,
    /// The open ones by their addresses in memory.
    open: watch::Sender<HashMap<usize, Arc<Connection>>>,
    most: usize,
    counts: Option<Arc<Counts>>,
}

/// Serves a connection of this server in a task of its own.
pub(crate) fn spawn<A: Handler>(shared: &Arc<Shared<A>>, transport: Transport, tls: bool) {
    let connections = &shared.connections;
    if let Some(counts) = connections.counts() {
        counts.connections.fetch_add(1, Ordering::Relaxed);
    }
    let lifecycle = shared.host.lifecycle().clone();
    let connection = Arc::new(Connection::new(lifecycle, connections.counts.clone()));
    let place = Place::new(connections, &connection);
    tokio::spawn(serve(place, transport, tls, Arc::clone(shared), connection));
}

impl Connections {
    /// Returns the list of a server on which no connection is open yet. `most`: how many may be open at once; `counted`:
    /// whether the counts of their requests are read.
    pub(crate) fn new(most: usize, counted: bool) -> Self {
        Self {
            stage: watch::Sender::default(),
            open: watch::Sender::default(),
            most,
            counts: counted.then(Arc::default),
        }
    }

    /// Returns how many connections are open.
    pub(crate) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// Returns the counts of requests, if they are read.
    pub(crate) fn counts(&self) -> Option<&Counts> {
        self.counts.as_deref()
    }

    /// Waits until one more connection may be accepted.
    pub(crate) async fn room(&self) {
        self.until(|open| open < self.most).await;
    }

    /// Keeps a place free: whenever all are taken, the connection ends whose client is awaited longest. Never ends.
    pub(crate) async fn keep_room(&self) {
        loop {
            self.until(|open| open >= self.most).await;
            let longest = self
                .open
                .borrow()
                .iter()
                .min_by_key(|(_, connection)| connection.awaited_since())
                .map(|(key, connection)| (*key, Arc::clone(connection)));
            if let Some((key, connection)) = longest {
                connection.advance(Stage::Aborted);
                // Not until there is room: another connection may have taken it before this task runs.
                let _ = self.open.subscribe().wait_for(|open| !open.contains_key(&key)).await;
            }
        }
    }

    /// Waits until no connection is open.
    pub(crate) async fn empty(&self) {
        self.until(|open| open == 0).await;
    }

    async fn until(&self, fits: impl Fn(usize) -> bool) {
        // The sender lives in `self`, so this cannot fail.
        let _ = self.open.subscribe().wait_for(|open| fits(open.len())).await;
    }

    /// Waits until the end of the server has come so far.
    pub(crate) async fn reached(&self, stage: Stage) {
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }

    /// Says to what accepts connections and to every connection how far the end of the server has come.
    pub(crate) fn advance(&self, stage: Stage) {
        self.stage.send_replace(stage);
        // A connection that is opened meanwhile has either seen the stage or is among the open ones.
        let tell = |connection: &Arc<Connection>| connection.advance(stage);
        self.open.send_modify(|open| open.values().for_each(tell));
    }
}

/// The place of one connection, given up however the connection ends.
struct Place {
    connections: Arc<Connections>,
    key: usize,
}

impl Place {
    fn new(connections: &Arc<Connections>, connection: &Arc<Connection>) -> Self {
        let key = Arc::as_ptr(connection).addr();
        connections.open.send_modify(|open| {
            connection.advance(*connections.stage.borrow());
            open.insert(key, Arc::clone(connection));
        });
        Self { connections: Arc::clone(connections), key }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open.send_modify(|open| {
            open.remove(&self.key);
        });
    }
}
