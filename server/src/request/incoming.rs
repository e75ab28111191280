//! A request body on its way from the connection to the App.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use anyhost_core::{Body, BodyError, Error, Request};
use bytes::{Bytes, BytesMut};
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

/// Gives a request its body: whole if it is short, else a stream that ends a client which does not send.
///
/// # Errors
/// What the client is told if its body does not come.
pub(super) async fn with_timing(
    request: &mut Request,
    mut incoming: Incoming,
    config: &Config,
    unread: &mut Unread,
) -> Result<(), Error> {
    if http_body::Body::is_end_stream(&incoming) {
        return Ok(());
    }
    let header = request.headers().get(CONTENT_LENGTH);
    let announced: Option<u64> = header.and_then(|value| value.to_str().ok()?.parse().ok());
    *request.body_mut() = match announced {
        Some(length) if length <= READ_AHEAD => {
            let read = whole(&mut incoming, length as usize);
            match tokio::time::timeout(config.body_timeout, read).await {
                Ok(Ok(bytes)) => Body::from(bytes),
                Ok(Err(error)) => {
                    unread.left = BodyRest::Broken;
                    return Err(Error::from(BodyError::broken(error)));
                }
                Err(_) => {
                    unread.keep(request.headers(), incoming);
                    let why = "the request body stopped coming";
                    return Err(Error::new(StatusCode::REQUEST_TIMEOUT, why));
                }
            }
        }
        _ => Body::new(RequestBody {
            incoming: Some(incoming),
            left: Some(unread.lend(request.headers())),
            config: (config.body_timeout, config.min_body_rate),
            waiting_since: None,
            waited: Duration::ZERO,
            received: 0,
            deadline: Deadline::default(),
        }),
    };
    Ok(())
}

/// A short body in one piece; without a copy if it came in one.
async fn whole(incoming: &mut Incoming, length: usize) -> Result<Bytes, hyper::Error> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if first.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.reserve(length);
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// A request body as the App reads it.
struct RequestBody {
    incoming: Option<Incoming>,
    /// Takes the unread rest of the body if the App drops it.
    left: Option<oneshot::Sender<BodyRest>>,
    config: (Duration, MinBodyRate),
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
        let Poll::Ready(frame) = Pin::new(incoming).poll_frame(cx) else {
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
    /// The App has the body, and says what it leaves.
    Lent(oneshot::Receiver<Self>),
}

/// The rest of a request body, if its reader leaves one.
#[derive(Default)]
pub(super) struct Unread {
    left: BodyRest,
    /// The client waits to be told that its body is wanted, and it is not.
    expects: bool,
}

impl Unread {
    fn lend(&mut self, headers: &HeaderMap) -> oneshot::Sender<BodyRest> {
        let (sender, receiver) = oneshot::channel();
        (self.left, self.expects) = (BodyRest::Lent(receiver), headers.contains_key(EXPECT));
        sender
    }

    /// Keeps a body that the App is not given.
    pub(super) fn keep(&mut self, headers: &HeaderMap, body: Incoming) {
        if !http_body::Body::is_end_stream(&body) {
            (self.left, self.expects) = (BodyRest::Unread(body), headers.contains_key(EXPECT));
        }
    }

    /// Reads what is left of a body if it is here already and short; false if there is more. A body that the App
    /// still reads is its own business.
    pub(super) async fn read_to_the_end(self) -> bool {
        let left = match self.left {
            BodyRest::Lent(mut receiver) => receiver.try_recv().unwrap_or(BodyRest::Nothing),
            left => left,
        };
        let mut incoming = match left {
            BodyRest::Nothing | BodyRest::Lent(_) => return true,
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
