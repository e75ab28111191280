//! What the server keeps of a request while the App has it: its name, its span, its deadline.

use std::time::Instant;

use anyhost_core::adapter::{RequestSpan, refuse};
use anyhost_core::{Context, Error, Request, Response};
use http::{Method, StatusCode};

use super::active::Active;
use crate::shared::Shared;

/// What the server keeps of a request while the App has it.
pub(super) struct RequestRecord {
    span: Option<RequestSpan>,
    routed: Option<Context>,
    named: Option<RequestName>,
    logged: bool,
    /// Whether the log line is one of `ACCESS_LOG`.
    access: bool,
}

/// A request by its name. Only one that may be refused later, or is logged, needs it twice.
struct RequestName {
    method: Method,
    path: String,
    context: Context,
    begun: Instant,
}

impl RequestRecord {
    /// Marks the moment before the App is asked.
    pub(super) fn begin<A>(shared: &Shared<A>, request: &mut Request, active: &mut Active) -> Self {
        let routed = active.asks(request, shared.traces.is_some());
        let span = shared.traces.as_ref().map(|traces| traces.begin(request));
        let timeout = shared.config.request_timeout;
        if let Some(timeout) = timeout
            && let Some(context) = request.extensions_mut().remove::<Context>()
        {
            // The deadline is known to whatever waits inside the App; a timer is for what does not ask.
            let deadline = Instant::now() + timeout;
            request.extensions_mut().insert(context.with_deadline(deadline));
        }
        let access = shared.config.access_log;
        let logged = access || tracing::enabled!(tracing::Level::DEBUG);
        let named = (timeout.is_some() || logged).then(|| RequestName::of(request));
        Self { span, routed, named, logged, access }
    }

    pub(super) fn took_too_long(&self) -> Response {
        let Some(RequestName { method, context, .. }) = &self.named else {
            return Response::default();
        };
        let error = Error::new(StatusCode::GATEWAY_TIMEOUT, "the request took too long");
        refuse(method, context, error)
    }

    /// Ends the request's span and writes its log line.
    pub(super) fn answered(self, response: &Response) {
        let status = response.status();
        if let Some(span) = self.span {
            span.answered(status, self.routed.as_ref().and_then(Context::route));
        }
        if let Some(named) = self.named.filter(|_| self.logged) {
            named.log(status, self.access);
        }
    }
}

impl RequestName {
    fn of(request: &Request) -> Self {
        let context = Context::of(request).cloned();
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            context: context.unwrap_or_else(Context::fresh),
            begun: Instant::now(),
        }
    }

    fn log(&self, status: StatusCode, access: bool) {
        let Self { method, path, context, begun } = self;
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
