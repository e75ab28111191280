//! A request body on its way from the connection to the App.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use anyhost_core::{Body, BodyError, Error, Request};
use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::connection::Deadline;
use crate::{Config, MinBodyRate};

/// A body that is announced to be at most this long is read before the App is called: it is there in one
/// piece, and no slow client holds an App's resources.
const READ_AHEAD: u64 = 16 * 1024;

/// How much of a body that the App left is read, so that the connection can go on.
const READ_AFTER: usize = 64 * 1024;

/// A request body as the App reads it.
struct RequestBody {
    incoming: Option<Incoming>,
    /// Takes the unread rest of the body if the App drops it.
    left: Option<oneshot::Sender<BodyRest>>,
    config: (Duration, MinBodyRate),
    /// Whether the App waits for the client to send more.
    awaited: Arc<AtomicBool>,
    waiting_since: Option<Instant>,
    /// How long the client has been waited for in all.
    waited: Duration,
    received: u64,
    deadline: Deadline,
}

impl RequestBody {
    fn leave(&mut self, left: BodyRest) {
        if let Some(sender) = self.left.take() {
            // Fails if the response has been sent already: the receiver is gone then.
            let _ = sender.send(left);
        }
    }

    /// Ready when the client has sent nothing for too long, or too little.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (timeout, rate) = self.config;
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let slow = rate.patience(self.received).map(|slow| slow.saturating_sub(self.waited));
        self.deadline.poll(since + slow.map_or(timeout, |slow| slow.min(timeout)), cx)
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        let frame = Pin::new(incoming).poll_frame(cx);
        this.awaited.store(frame.is_pending(), Ordering::Relaxed);
        let Poll::Ready(frame) = frame else {
            ready!(this.poll_deadline(cx));
            // Kept: the connection ends in order, for the client to read why.
            return Poll::Ready(Some(Err(BodyError::timed_out())));
        };
        if let Some(since) = this.waiting_since.take() {
            this.waited += since.elapsed();
        }
        match frame {
            Some(Ok(frame)) => {
                this.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                this.incoming = None;
                this.leave(BodyRest::Broken);
                Poll::Ready(Some(Err(BodyError::broken(error))))
            }
            None => {
                this.incoming = None;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.incoming {
            Some(incoming) => http_body::Body::size_hint(incoming),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.awaited.store(false, Ordering::Relaxed);
        if let Some(incoming) = self.incoming.take() {
            self.leave(BodyRest::Unread(incoming));
        }
    }
}

/// What there is of a request body behind what was read.
#[derive(Default)]
enum BodyRest {
    #[default]
    Nothing,
    Unread(Incoming),
    /// The end of the body cannot be found: its framing is broken.
    Broken,
    /// The App has the body, and says whether it waits for more of it and what it leaves.
    Lent(Arc<AtomicBool>, oneshot::Receiver<Self>),
}

/// The rest of a request body, if its reader leaves one.
#[derive(Default)]
pub(super) struct Unread {
    left: BodyRest,
    /// The client waits to be told that its body is wanted, and it is not.
    expects: bool,
}

impl Unread {
    /// A body that the App has not read.
    pub(super) fn new(headers: &HeaderMap, body: Incoming) -> Self {
        match http_body::Body::is_end_stream(&body) {
            true => Self::default(),
            false => Self { left: BodyRest::Unread(body), expects: headers.contains_key(EXPECT) },
        }
    }

    /// Whether the App waits for the client to send more of the body.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(&self.left, BodyRest::Lent(awaited, _) if awaited.load(Ordering::Relaxed))
    }

    /// Gives a request its body: whole if it is short, else a stream that ends a client which does not send.
    ///
    /// # Errors
    /// What the client is told if its body does not come.
    pub(super) async fn lend(
        &mut self,
        request: &mut Request,
        config: &Config,
    ) -> Result<(), Error> {
        let BodyRest::Unread(mut incoming) = std::mem::take(&mut self.left) else {
            return Ok(());
        };
        let header = request.headers().get(CONTENT_LENGTH);
        let announced: Option<u64> = header.and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_none_or(|length| length > READ_AHEAD) {
            let (sender, receiver) = oneshot::channel();
            let awaited = Arc::default();
            self.left = BodyRest::Lent(Arc::clone(&awaited), receiver);
            *request.body_mut() = Body::new(RequestBody {
                incoming: Some(incoming),
                left: Some(sender),
                config: (config.body_timeout, config.min_body_rate),
                awaited,
                waiting_since: None,
                waited: Duration::ZERO,
                received: 0,
                deadline: Deadline::default(),
            });
            return Ok(());
        }
        match tokio::time::timeout(config.body_timeout, (&mut incoming).collect()).await {
            Ok(Ok(whole)) => *request.body_mut() = Body::from(whole.to_bytes()),
            Ok(Err(error)) => {
                self.left = BodyRest::Broken;
                return Err(Error::from(BodyError::broken(error)));
            }
            Err(_) => {
                self.left = BodyRest::Unread(incoming);
                let why = "the request body stopped coming";
                return Err(Error::new(StatusCode::REQUEST_TIMEOUT, why));
            }
        }
        Ok(())
    }

    /// Reads what is left of a body if it is here already and short; false if there is more. A body that the App
    /// still reads is its own business.
    pub(super) async fn read_to_the_end(self) -> bool {
        let left = match self.left {
            BodyRest::Lent(_, mut receiver) => receiver.try_recv().unwrap_or(BodyRest::Nothing),
            left => left,
        };
        let mut incoming = match left {
            BodyRest::Nothing | BodyRest::Lent(..) => return true,
            BodyRest::Unread(incoming) if !self.expects => incoming,
            BodyRest::Unread(_) | BodyRest::Broken => return false,
        };
        let (mut read, mut patience) = (0, 2);
        while read <= READ_AFTER && patience > 0 {
            let mut poll = |cx: &mut Context<'_>| Poll::Ready(incoming.frame().poll_unpin(cx));
            match std::future::poll_fn(&mut poll).await {
                Poll::Ready(None) => return true,
                Poll::Ready(Some(Ok(frame))) => {
                    read += frame.data_ref().map_or(0, Bytes::len);
                    patience = 2;
                }
                Poll::Ready(Some(Err(_))) => return false,
                Poll::Pending => {
                    // hyper reads for a body that is asked for, the next time it runs.
                    patience -= 1;
                    tokio::task::yield_now().await;
                }
            }
        }
        false
    }
}
