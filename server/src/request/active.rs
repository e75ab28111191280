//! A request that is being answered, as its connection and the counts know it.

use std::sync::Arc;
use std::time::Instant;

use anyhost_core::{Context, InFlight, Request};
use http::{Method, StatusCode};
use tokio::sync::OwnedMutexGuard;

use crate::connection::Connection;
use crate::metrics::CountedMethod;

/// A request that is being answered, from its head to the last byte of its response.
pub(super) struct Active {
    connection: Arc<Connection>,
    /// Counts a request of HTTP/2 as work; of HTTP/1.1 its connection does.
    _guard: Option<InFlight>,
    /// What is counted of it once it has a status, if anybody reads the counts.
    counted: Option<Counted>,
    /// Bytes of its whole response that the client of HTTP/2 has not taken.
    untaken: usize,
    turn: Option<OwnedMutexGuard<()>>,
}

struct Counted {
    method: CountedMethod,
    /// When the App was asked, and the context in which it says which of its routes answers.
    asked: Option<(Instant, Context)>,
}

impl Active {
    pub(super) fn begin(connection: &Arc<Connection>, method: &Method) -> Self {
        let guard = connection.begin();
        let counted = connection
            .counts()
            .map(|_| Counted { method: CountedMethod::of(method.as_str()), asked: None });
        Self { connection: Arc::clone(connection), _guard: guard, counted, untaken: 0, turn: None }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// It is a platform's and no work: it is not counted.
    pub(super) fn is_probe(&mut self) {
        self.counted = None;
    }

    /// Marks the moment at which the App is called. If requests are counted or traced, returns the context in which the
    /// App names its route.
    pub(super) fn asks(&mut self, request: &mut Request, traced: bool) -> Option<Context> {
        if self.counted.is_none() && !traced {
            return None;
        }
        let context = request.extensions_mut().remove::<Context>()?.noting_route();
        request.extensions_mut().insert(context.clone());
        if let Some(counted) = &mut self.counted {
            counted.asked = Some((Instant::now(), context.clone()));
        }
        Some(context)
    }

    /// It has a response.
    pub(super) fn has_status(&mut self, status: StatusCode) {
        self.count(Some(status));
    }

    /// Waits until the client of HTTP/2 has taken enough of the responses before this one.
    pub(super) async fn wait_for_turn(&mut self) {
        self.turn = self.connection.untaken.turn().await;
    }

    /// Its response is known, of which so many bytes wait for the client in memory.
    pub(super) fn has_untaken(&mut self, bytes: usize) {
        self.untaken = bytes;
        if bytes > 0 {
            self.connection.untaken.add(bytes);
        }
        self.turn = None;
    }

    /// The client has taken the whole response: none of it is in memory any more.
    pub(super) fn is_taken(&mut self) {
        if self.untaken > 0 {
            self.connection.untaken.remove(std::mem::take(&mut self.untaken));
        }
    }

    fn count(&mut self, status: Option<StatusCode>) {
        let (Some(Counted { method, asked }), Some(counts)) =
            (self.counted.take(), self.connection.counts())
        else {
            return;
        };
        let status = status.map(|status| status.as_u16());
        counts.requests.ended(method, status);
        if let (Some((begun, context)), Some(status)) = (asked, status) {
            counts.requests.answered(method, status, context.route(), begun.elapsed());
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.count(None);
        self.is_taken();
        self.connection.end();
    }
}
