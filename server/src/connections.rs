//! The connections of one server: how many there are, and how they end together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhost_core::adapter::Handler;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::connection::{Connection, Transport, serve};
use crate::metrics::{Counts, Totals};
use crate::shared::Shared;

/// The connections of one server.
pub(crate) struct Connections {
    open: AtomicUsize,
    most: usize,
    counts: Option<Arc<Counts>>,
    changed: watch::Sender<()>,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    number: u64,
    closing: bool,
    aborted: bool,
    open: HashMap<u64, Entry>,
}

struct Entry {
    connection: Arc<Connection>,
    task: Option<AbortHandle>,
}

impl Connections {
    pub(crate) fn new<A>(shared: &Shared<A>) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            most: shared.config.max_connections,
            counts: shared.counts().then(Arc::default),
            changed: watch::Sender::new(()),
            entries: Mutex::default(),
        })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing in here panics while the lock is held.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves a connection in a task of its own.
    pub(crate) fn serve<A: Handler>(
        self: &Arc<Self>,
        shared: &Arc<Shared<A>>,
        transport: Transport,
        tls: bool,
    ) {
        if let Some(counts) = &self.counts {
            counts.connected();
        }
        let life = shared.host.life().clone();
        let connection = Arc::new(Connection::new(life, self.counts.clone()));
        let mut entries = self.entries();
        entries.number += 1;
        let number = entries.number;
        if entries.closing {
            connection.close();
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { connection: Arc::clone(&connection), task: None };
        entries.open.insert(number, entry);
        let place = Place { connections: Arc::clone(self), number };
        let shared = Arc::clone(shared);
        // Spawned under the lock: the task cannot end before its handle is here.
        let task = tokio::spawn(async move {
            let _place = place;
            serve(transport, tls, shared, connection).await;
        });
        if entries.aborted {
            task.abort();
        } else if let Some(entry) = entries.open.get_mut(&number) {
            entry.task = Some(task.abort_handle());
        }
    }

    /// Connections that are open.
    pub(crate) fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Returns how many requests the App has answered, if they are counted, and how long that took them together.
    pub(crate) fn all_answered(&self) -> (u64, Duration) {
        self.counts.as_deref().map(Counts::all_answered).unwrap_or_default()
    }

    /// What was counted so far, if anything is.
    pub(crate) fn totals(&self) -> Totals {
        self.counts.as_deref().map(Totals::of).unwrap_or_default()
    }

    /// Waits until one more connection may be accepted.
    pub(crate) async fn room(&self) {
        self.until(|open| open < self.most).await;
    }

    /// Waits until no connection is open.
    pub(crate) async fn empty(&self) {
        self.until(|open| open == 0).await;
    }

    async fn until(&self, enough: impl Fn(usize) -> bool) {
        if enough(self.count()) {
            return;
        }
        let mut changed = self.changed.subscribe();
        while !enough(self.count()) {
            // The sender lives in `self`; subscribed before the count was read, no change is missed.
            let _ = changed.changed().await;
        }
    }

    /// Closes every connection as soon as nothing is lost by it.
    pub(crate) fn close(&self) {
        let mut entries = self.entries();
        entries.closing = true;
        entries.open.values().for_each(|entry| entry.connection.close());
    }

    /// Ends every connection that goes on with another protocol: its holder reads the end.
    pub(crate) fn cut_off(&self) {
        self.entries().open.values().for_each(|entry| entry.connection.cut_off());
    }

    /// Drops every connection with what it does.
    pub(crate) fn abort(&self) {
        let mut entries = self.entries();
        (entries.closing, entries.aborted) = (true, true);
        for entry in entries.open.values() {
            entry.connection.cut_off();
            if let Some(task) = &entry.task {
                task.abort();
            }
        }
    }
}

/// The place of one connection, given up however the connection ends.
struct Place {
    connections: Arc<Connections>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let entry = self.connections.entries().open.remove(&self.number);
        drop(entry);
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
        if self.connections.changed.receiver_count() > 0 {
            self.connections.changed.send_replace(());
        }
    }
}
