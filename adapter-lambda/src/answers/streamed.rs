//! A streamed answer: a prelude in JSON, eight NULs, and the body in chunks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhost_core::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use tokio::time::{Instant, Sleep};

use super::json::push_text;
use super::{Shape, headers};

/// The media type that tells Lambda to read the prelude.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.awslambda.http-integration-response";

/// The trailers that tell Lambda why a body broke off.
pub(crate) const ERROR_TYPE: HeaderName =
    HeaderName::from_static("lambda-runtime-function-error-type");
pub(crate) const ERROR_BODY: HeaderName =
    HeaderName::from_static("lambda-runtime-function-error-body");

/// A streamed answer, polled by the connection to the Runtime API as fast as the API reads.
///
/// An error while it is sent (a panic, the deadline) ends the body with error
/// trailers: the client sees that it is cut off. The App's own trailers cannot travel and are dropped.
pub(crate) struct StreamedAnswer {
    prelude: Option<Bytes>,
    separator: Option<Bytes>,
    body: Option<Body>,
    request_id: String,
    give_up: Option<Pin<Box<Sleep>>>,
}

impl StreamedAnswer {
    pub(crate) fn new(
        response: &Parts,
        body: Body,
        request_id: &str,
        give_up: Option<Instant>,
    ) -> Self {
        let mut prelude = Vec::with_capacity(256);
        prelude.extend_from_slice(b"{\"statusCode\":");
        prelude.extend_from_slice(response.status.as_str().as_bytes());
        // A prelude has the members of a Function URL's answer for every event shape.
        headers::push(&mut prelude, &response.headers, &Shape::FUNCTION_URL);
        prelude.push(b'}');
        // A body in memory needs no time: that of the error which says that the time is up must arrive whole.
        let (body, give_up) = match body.into_full() {
            Ok(whole) => (Body::from(whole), None),
            Err(stream) => (stream, give_up),
        };
        Self {
            prelude: Some(prelude.into()),
            // In a chunk of its own: `cargo lambda watch` treats the whole first chunk as the prelude.
            separator: Some(Bytes::from_static(&[0; 8])),
            body: Some(body),
            request_id: request_id.to_owned(),
            give_up: give_up.map(|at| Box::pin(tokio::time::sleep_until(at))),
        }
    }

    fn break_off(&mut self, kind: &'static str, message: &str) -> Frame<Bytes> {
        self.body = None;
        tracing::error!(request_id = self.request_id, "the response broke off: {message}");
        let mut error = Vec::new();
        error.extend_from_slice(b"{\"errorType\":");
        push_text(&mut error, kind);
        // The cause is only logged: Lambda may show this text to the client.
        error.extend_from_slice(b",\"errorMessage\":\"the response broke off\"}");
        let mut trailers = HeaderMap::with_capacity(2);
        trailers.insert(ERROR_TYPE, HeaderValue::from_static(kind));
        let error = HeaderValue::from_maybe_shared(Bytes::from(BASE64_STANDARD.encode(error)));
        trailers.insert(ERROR_BODY, error.expect("base64 is a header value"));
        Frame::trailers(trailers)
    }
}

impl http_body::Body for StreamedAnswer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Some(piece) = this.prelude.take().or_else(|| this.separator.take()) {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        if let Some(give_up) = &mut this.give_up
            && give_up.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Ok(this.break_off("Function.Timeout", "its time was up"))));
        }
        // A body that panics is dropped and not polled again; nothing of ours is shared with it.
        let polled =
            catch_unwind(AssertUnwindSafe(|| http_body::Body::poll_frame(Pin::new(body), cx)));
        let frame = match polled {
            Ok(poll) => ready!(poll),
            Err(_) => {
                let broken =
                    this.break_off("Function.Panic", "a panic, whose message stands above");
                return Poll::Ready(Some(Ok(broken)));
            }
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) if frame.is_data() => Some(Ok(frame)),
            Some(Err(error)) => {
                Some(Ok(this.break_off("Function.StreamError", &error.to_string())))
            }
            Some(Ok(_)) | None => {
                this.body = None;
                None
            }
        })
    }
}
