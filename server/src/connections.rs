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
    entries: watch::Sender<Entries>,
    most: usize,
    counts: Option<Arc<Counts>>,
}

#[derive(Default)]
struct Entries {
    stage: Stage,
    /// The open ones by their addresses in memory.
    open: HashMap<usize, Arc<Connection>>,
}

impl Connections {
    pub(crate) fn new<A>(shared: &Shared<A>) -> Arc<Self> {
        Arc::new(Self {
            entries: watch::Sender::default(),
            most: shared.config.max_connections,
            counts: shared.counts().then(Arc::default),
        })
    }

    /// Serves a connection in a task of its own.
    pub(crate) fn serve<A: Handler>(
        self: &Arc<Self>,
        shared: &Arc<Shared<A>>,
        transport: Transport,
        tls: bool,
    ) {
        if let Some(counts) = &self.counts {
            counts.connections.fetch_add(1, Ordering::Relaxed);
        }
        let life = shared.host.life().clone();
        let connection = Arc::new(Connection::new(life, self.counts.clone()));
        let place = Place::new(self, &connection);
        tokio::spawn(serve(place, transport, tls, Arc::clone(shared), connection));
    }

    /// Returns how many connections are open.
    pub(crate) fn count(&self) -> usize {
        self.entries.borrow().open.len()
    }

    /// Returns where its requests are counted, if the counts are read.
    pub(crate) fn counts(&self) -> Option<&Counts> {
        self.counts.as_deref()
    }

    /// Waits until one more connection may be accepted.
    pub(crate) async fn room(&self) {
        self.until(|open| open < self.most).await;
    }

    /// Waits until no connection is open.
    pub(crate) async fn empty(&self) {
        self.until(|open| open == 0).await;
    }

    async fn until(&self, fits: impl Fn(usize) -> bool) {
        // The sender lives in `self`, so this cannot fail.
        let _ = self.entries.subscribe().wait_for(|entries| fits(entries.open.len())).await;
    }

    /// Says to every connection, also to those that come, how far the end of the server has come.
    pub(crate) fn advance(&self, stage: Stage) {
        self.entries.send_modify(|entries| {
            entries.stage = stage;
            entries.open.values().for_each(|connection| connection.advance(stage));
        });
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
        connections.entries.send_modify(|entries| {
            connection.advance(entries.stage);
            entries.open.insert(key, Arc::clone(connection));
        });
        Self { connections: Arc::clone(connections), key }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.entries.send_modify(|entries| {
            entries.open.remove(&self.key);
        });
    }
}
