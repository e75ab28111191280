//! A request that is being answered, as its connection, the counts, the traces and the log know it.

use std::sync::Arc;
use std::time::Instant;

use anyhost_core::adapter::{RequestSpan, refuse};
use anyhost_core::{Context, Error, InFlight, Request, Response};
use http::{Method, StatusCode};

use crate::connection::Connection;
use crate::limit::Permit;
use crate::metrics::CountedMethod;
use crate::shared::Shared;

/// A request that is being answered, from its head to the last byte of its response.
pub(super) struct Active {
    connection: Arc<Connection>,
    /// Its place under the limit, once the App may be asked.
    // Before the guard: when no work is counted any more, all places are free.
    pub(super) permit: Option<Permit>,
    /// Counts a request of HTTP/2 as work; of HTTP/1.1 its connection does.
    _guard: Option<InFlight>,
    /// How it is counted once it has a status, if the counts are read.
    counted: Option<CountedMethod>,
    /// What is kept of it while the App has it, if anything is to say of it afterwards.
    record: Option<Box<Record>>,
    /// Bytes of its whole response that the client of HTTP/2 has not taken.
    untaken: usize,
}

/// A request that the App was asked.
struct Record {
    method: Method,
    /// Only for a log line.
    path: Option<String>,
    context: Context,
    begun: Instant,
    span: Option<RequestSpan>,
    /// Whether the log line is one of `ACCESS_LOG`.
    access: bool,
}

impl Active {
    pub(super) fn begin(connection: &Arc<Connection>, method: &Method) -> Self {
        Self {
            connection: Arc::clone(connection),
            permit: None,
            _guard: connection.begin(),
            counted: connection.counts().map(|_| CountedMethod::from_name(method.as_str())),
            record: None,
            untaken: 0,
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Says that the connection goes on as a WebSocket, under the limit as the request was.
    pub(super) fn upgrades(&mut self) {
        self.connection.upgrade(self.permit.take());
    }

    /// It is a platform's and no work: it is not counted.
    pub(super) fn is_probe(&mut self) {
        self.counted = None;
    }

    /// Marks the moment before the App is asked: the request gets its deadline, and its span begins.
    pub(super) fn asks<A>(&mut self, shared: &Shared<A>, request: &mut Request) {
        let (timeout, access) = (shared.config.request_timeout, shared.config.access_log);
        let routed = self.counted.is_some() || shared.traces().is_some();
        let logged = access || tracing::enabled!(tracing::Level::DEBUG);
        if !(routed || logged || timeout.is_some()) {
            return;
        }
        let begun = Instant::now();
        if let Some(mut context) = request.extensions_mut().remove::<Context>() {
            if routed {
                context = context.noting_route();
            }
            // The deadline is known to whatever waits inside the App; a timer is for what does not ask.
            let deadline = timeout.map(|timeout| begun + timeout);
            context = deadline.into_iter().fold(context, Context::with_deadline);
            request.extensions_mut().insert(context);
        }
        let span = shared.traces().map(|traces| traces.begin(request));
        self.record = Some(Box::new(Record {
            method: request.method().clone(),
            path: logged.then(|| request.uri().path().to_owned()),
            context: Context::get(request).cloned().unwrap_or_else(Context::fresh),
            begun,
            span,
            access,
        }));
    }

    /// Returns the response to a request whose time is over. If its body is still awaited, the client took the time.
    pub(super) fn took_too_long(&self, body_is_awaited: bool) -> Response {
        let (status, why) = match body_is_awaited {
            true => (StatusCode::REQUEST_TIMEOUT, "the request body did not come in time"),
            false => (StatusCode::GATEWAY_TIMEOUT, "the request took too long"),
        };
        let error = Error::new(status, why);
        let refuse = |record: &Record| refuse(&record.method, &record.context, error);
        self.record.as_deref().map(refuse).unwrap_or_default()
    }

    /// It has a response.
    pub(super) fn has_status(&mut self, status: StatusCode) {
        self.count(Some(status.as_u16()));
        if let Some(record) = self.record.take() {
            record.answered(status);
        }
    }

    /// Its response is known, of which so many bytes wait for the client in memory.
    pub(super) fn has_untaken(&mut self, bytes: usize) {
        self.untaken = bytes;
        if bytes > 0 {
            self.connection.untaken.add(bytes);
        }
    }

    /// The client has taken the whole response: none of it is in memory any more.
    pub(super) fn is_taken(&mut self) {
        if self.untaken > 0 {
            self.connection.untaken.remove(std::mem::take(&mut self.untaken));
        }
    }

    fn count(&mut self, status: Option<u16>) {
        let (Some(method), Some(counts)) = (self.counted.take(), self.connection.counts()) else {
            return;
        };
        counts.requests.ended(method, status);
        if let (Some(Record { context, begun, .. }), Some(status)) =
            (self.record.as_deref(), status)
        {
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

impl Record {
    /// Ends the request's span and writes its log line.
    fn answered(self, status: StatusCode) {
        let Self { method, path, context, begun, span, access } = self;
        if let Some(span) = span {
            span.answered(status, context.route());
        }
        let Some(path) = path else { return };
        let (status, seconds) = (status.as_u16(), begun.elapsed().as_secs_f64());
        let client = context.client_ip().map(tracing::field::display);
        context.within_call(|| {
            if access {
                tracing::info!(target: "access", %method, path, status, seconds, client, "answered");
            } else {
                tracing::debug!(%method, path, status, seconds, client, "answered");
            }
        });
    }
}
