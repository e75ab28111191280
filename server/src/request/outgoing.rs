//! A response body on its way from the App to the connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use anyhost_core::{Body, BodyError};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use super::active::Active;
use crate::connection::{keep_with_upgrade, set_offered};

/// The largest piece of a whole body that is handed over at once on HTTP/2, so that it shows whether the client takes
/// any of it.
const PIECE: usize = 64 * 1024;

/// How long what came before a failure has for its way to the client.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// A response body as hyper takes it. The request is being answered as long as this lives.
pub(crate) struct ResponseBody {
    kind: Kind,
    http2: bool,
    active: Option<Active>,
}

enum Kind {
    Whole(Bytes),
    Stream(Body),
    Failed(Option<BodyError>, Pin<Box<Sleep>>),
}

impl ResponseBody {
    /// No bytes: the stream goes on as a WebSocket, and is work until it ends.
    pub(super) fn of_websocket(active: Active) -> Self {
        keep_with_upgrade(active);
        Self { kind: Kind::Whole(Bytes::new()), http2: true, active: None }
    }

    pub(super) fn new(body: Body, mut active: Active, http2: bool) -> Self {
        let kind = match body.into_full() {
            Ok(bytes) => Kind::Whole(bytes),
            Err(body) => Kind::Stream(body),
        };
        active.has_untaken(match &kind {
            Kind::Whole(bytes) if http2 && bytes.len() > PIECE => bytes.len(),
            _ => 0,
        });
        Self { kind, http2, active: Some(active) }
    }

    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match &mut self.kind {
                Kind::Whole(bytes) if bytes.is_empty() => return Poll::Ready(None),
                Kind::Whole(bytes) => {
                    if !self.http2 {
                        return Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))));
                    }
                    let mut piece = bytes.split_to(bytes.len().min(PIECE));
                    if let Some(active) = self.active.as_mut().filter(|_| bytes.is_empty()) {
                        // A copy: the piece would keep the memory of the whole response.
                        piece = Bytes::copy_from_slice(&piece);
                        active.is_taken();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Kind::Stream(body) => {
                    match ready!(http_body::Body::poll_frame(Pin::new(&mut *body), cx)) {
                        Some(Err(error)) => {
                            say(body, &error);
                            let last_words = Box::pin(tokio::time::sleep(LAST_WORDS));
                            self.kind = Kind::Failed(Some(error), last_words);
                        }
                        other => return Poll::Ready(other),
                    }
                }
                Kind::Failed(error, last_words) => {
                    // What came before goes out first; then the connection or the stream breaks off.
                    ready!(last_words.as_mut().poll(cx));
                    return Poll::Ready(error.take().map(Err));
                }
            }
        }
    }
}

/// Logs that a response fails after it has begun. A client that broke off its request is at fault itself.
fn say(body: &Body, error: &BodyError) {
    match body.context() {
        Some(context) if context.client_broke_off() => {
            context.within_call(|| tracing::debug!("a response breaks off: {error}"));
        }
        Some(context) => context.within_call(|| tracing::error!("a response breaks off: {error}")),
        None => tracing::error!("a response breaks off: {error}"),
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let http2 = self.http2;
        if http2 {
            set_offered(None);
        }
        let piece = ready!(self.poll_piece(cx));
        if http2 && matches!(piece, Some(Ok(_))) {
            set_offered(Some(Instant::now()));
        }
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Stream(body) => body.is_end_stream(),
            Kind::Failed(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(body) => body.size_hint(),
            Kind::Failed(..) => SizeHint::default(),
        }
    }
}
