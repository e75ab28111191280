//! One invocation: from its event to its answer.

use std::panic::AssertUnwindSafe;
use std::sync::Once;
use std::time::Duration;

use anyhost_core::adapter::{CountedMethod, Failure, Handler, Telemetry, Traces, answer, refuse};
use anyhost_core::{Body, Context, Error, Host, Request, Response};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use lambda_http::lambda_runtime::Diagnostic;
use tokio::time::{Instant, timeout_at};

use crate::answers::{Shape, StreamedAnswer, TooLarge, buffered};
use crate::environment::ResponseMode;
use crate::events::{EventRequest, translate};
use crate::lifecycle::{AppStart, Preparation, diagnostic};
use crate::runtime_api::{Delivery, Invocation, RuntimeApi};

/// The outcome of an invocation, as far as it matters to the process.
pub(crate) enum Outcome {
    /// It was answered or failed; the process polls for the next one.
    Answered,
    /// The App could not be started, so no invocation can be answered.
    NeverStarted(Failure),
}

/// Answers one invocation.
pub(crate) async fn invoke<H: Handler>(
    prepared: &Preparation,
    started: &AppStart<H>,
    api: &mut RuntimeApi,
    invocation: Invocation,
) -> Outcome {
    let host = &prepared.host;
    let mut context = Context::new(invocation.id.as_str())
        .with_lifecycle(host.lifecycle().clone())
        .with_tenant_id(invocation.tenant_id.clone())
        .with_trace_parent(invocation.trace_parent())
        .with_platform_trace(invocation.trace.clone());
    if prepared.telemetry.is_some() {
        context = context.noting_route();
    }
    context.clone().within(handle(prepared, started, api, &invocation, context)).await
}

async fn handle<H: Handler>(
    prepared: &Preparation,
    started: &AppStart<H>,
    api: &mut RuntimeApi,
    invocation: &Invocation,
    mut context: Context,
) -> Outcome {
    let Preparation { host, configuration, telemetry, counts } = prepared;
    let give_up = invocation.deadline.map(give_up);
    if let Some(give_up) = give_up {
        context = context.with_deadline(give_up);
    }
    let translated = translate(&invocation.event, context, configuration.trust);
    let (exchange, request) = match translated {
        Ok(translated) => Exchange::new(translated, give_up),
        Err(error) => {
            tracing::error!("{error}");
            let error =
                Diagnostic { error_type: error.kind().into(), error_message: error.to_string() };
            api.fail(invocation, &error).await;
            return Outcome::Answered;
        }
    };

    let app = match exchange.in_time(started.app()).await {
        Some(Ok(app)) => app,
        Some(Err(failure)) => {
            let failure = Failure::new(failure.exit(), failure);
            api.fail(invocation, &diagnostic(&failure)).await;
            return Outcome::NeverStarted(failure);
        }
        None => {
            exchange.send(api, invocation, exchange.too_late()).await;
            return Outcome::Answered;
        }
    };
    let (begun, asks) = (Instant::now(), request.is_ok());
    let traces = telemetry.as_ref().and_then(Telemetry::traces);
    let response = exchange.respond(host, traces, app, request).await;
    if let Some(counts) = counts {
        let method = CountedMethod::from_name(exchange.method.as_str());
        let status = response.status().as_u16();
        counts.ended(method, Some(status));
        if asks {
            counts.answered(method, status, exchange.context.route(), begun.elapsed());
        }
    }
    if configuration.mode == ResponseMode::Streaming && exchange.streams() {
        let (parts, body) = response.into_parts();
        let streamed = StreamedAnswer::new(&parts, body, &invocation.id, exchange.give_up);
        api.stream(invocation, streamed).await;
    } else {
        exchange.send(api, invocation, response).await;
    }
    Outcome::Answered
}

/// One request, its response and its deadline.
pub(crate) struct Exchange {
    shape: &'static Shape,
    method: Method,
    context: Context,
    give_up: Option<Instant>,
}

impl Exchange {
    /// Makes an exchange of an event, with the request or the error that refuses it.
    pub(crate) fn new(
        translated: EventRequest,
        give_up: Option<std::time::Instant>,
    ) -> (Self, Result<Request, Error>) {
        let EventRequest { shape, method, context, request } = translated;
        (Self { shape, method, context, give_up: give_up.map(Instant::from_std) }, request)
    }

    /// The App's response, or the error response that replaces it.
    pub(crate) async fn respond<H: Handler>(
        &self,
        host: &Host,
        traces: Option<&Traces>,
        app: &H,
        request: Result<Request, Error>,
    ) -> Response {
        match request {
            Ok(mut request) => {
                let span = traces.map(|traces| traces.begin(&mut request));
                let response = answer(app, host.max_body(), &mut request);
                let response = self.in_time(response).await.unwrap_or_else(|| self.too_late());
                if let Some(span) = span {
                    span.answered(response.status(), self.context.route());
                }
                response
            }
            Err(error) => self.refuse(error),
        }
    }

    /// Waits for a future until it is time to give up.
    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match self.give_up {
            Some(give_up) => timeout_at(give_up, work).await.ok(),
            None => Some(work.await),
        }
    }

    fn too_late(&self) -> Response {
        self.refuse(Error::new(
            StatusCode::GATEWAY_TIMEOUT,
            "the function's time was up before the response was ready",
        ))
    }

    fn refuse(&self, error: Error) -> Response {
        refuse(&self.method, &self.context, error)
    }

    fn streams(&self) -> bool {
        if !self.shape.streams {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                tracing::warn!(
                    "RESPONSE_MODE is streaming, but {} takes no streams: its answers are sent in one \
                     piece",
                    self.shape.name
                );
            });
        }
        self.shape.streams
    }

    /// Sends a response in one piece, or the error why it cannot be sent.
    async fn send(&self, api: &mut RuntimeApi, invocation: &Invocation, response: Response) {
        let answer = self.encode(response).await;
        if api.respond(invocation, answer).await == Delivery::TooLarge {
            let answer = self.encode(self.refuse(too_large_for_lambda())).await;
            api.respond(invocation, answer).await;
        }
    }

    /// The answer in the form of its source.
    pub(crate) async fn encode(&self, response: Response) -> Bytes {
        let response = match self.whole(response).await {
            Ok(response) => response,
            Err(error) => self.refuse(error),
        };
        let (mut parts, body) = response.into_parts();
        // The body is in memory by now; that of a problem always is.
        let body = body.into_full().unwrap_or_default();
        if self.method != Method::HEAD {
            parts.headers.remove(CONTENT_LENGTH);
        }
        match buffered(self.shape, &parts, &body) {
            Ok(answer) => answer.into(),
            Err(TooLarge { size, limit }) => {
                let cause = format!(
                    "the response is {size} bytes as {} takes it, over its limit of {limit}",
                    self.shape.name
                );
                let (parts, body) = self.refuse(Error::internal(cause)).into_parts();
                let body = body.into_full().unwrap_or_default();
                // A problem is a few hundred bytes.
                buffered(self.shape, &parts, &body).unwrap_or_default().into()
            }
        }
    }

    /// Reads a streamed body to its end, up to the limit of an answer in one piece.
    async fn whole(&self, response: Response) -> Result<Response, Error> {
        let (parts, body) = response.into_parts();
        let stream = match body.into_full() {
            Ok(whole) => return Ok(Response::from_parts(parts, Body::from(whole))),
            Err(stream) => stream,
        };
        // Unwind safe: a body that panics is dropped, and shares no state with this function.
        let read = AssertUnwindSafe(collect(stream, self.shape.limit)).catch_unwind();
        let read = match self.context.deadline() {
            Some(deadline) => self.in_time(anyhost_core::adapter::within(deadline, read)).await,
            None => Some(read.await),
        };
        match read {
            Some(Ok(Ok(bytes))) => Ok(Response::from_parts(parts, Body::from(bytes))),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err(Error::internal("the response's body panicked")),
            None => Ok(self.too_late()),
        }
    }
}

async fn collect(mut stream: Body, limit: usize) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = stream.frame().await {
        // An answer in one piece has no trailers: they are dropped.
        let Ok(data) = frame.map_err(Error::internal)?.into_data() else { continue };
        bytes.extend_from_slice(&data);
        if bytes.len() > limit {
            let size = bytes.len();
            let cause = format!(
                "the response is at least {size} bytes long, over the limit of {limit} for an answer \
                 in one piece"
            );
            return Err(Error::internal(cause));
        }
    }
    Ok(bytes.freeze())
}

fn too_large_for_lambda() -> Error {
    Error::internal("Lambda did not take the response: it is too large")
}

/// When to give up, so that an answer still arrives: a tenth of the time before the deadline, at least 25
/// and at most 500 ms.
fn give_up(deadline: std::time::Instant) -> std::time::Instant {
    let left = deadline.saturating_duration_since(std::time::Instant::now());
    let margin = (left / 10).clamp(Duration::from_millis(25), Duration::from_millis(500));
    deadline.checked_sub(margin).unwrap_or(deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_leaves_a_tenth_of_the_time_before_the_deadline() {
        let now = std::time::Instant::now();
        for (left, margin) in [(0, 25), (100, 25), (1_000, 100), (4_000, 400), (900_000, 500)] {
            let deadline = now + Duration::from_millis(left);
            let margins = deadline - give_up(deadline);
            // The time left shrinks while this test runs, and the margin of a tenth with it.
            let most = Duration::from_millis(margin);
            assert!((Duration::from_millis(25)..=most).contains(&margins), "{left}: {margins:?}");
        }
    }
}
