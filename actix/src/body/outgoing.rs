//! The body of a response on its way to the host.
//!
//! actix-web's body stays on its thread: what is not ready in the first poll is sent over a channel of few
//! chunks, and is produced only as fast as the client reads it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use anyhost_core::{Body, BodyError};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// How many chunks may wait for the client.
const ROOM: usize = 2;

/// How many bytes of a body are read before its head is sent, if they are ready without waiting.
const AT_ONCE: usize = 64 * 1024;

/// A chunk; `None` marks the end, which tells a complete body from one that breaks off.
type Piece = Result<Option<Bytes>, BodyError>;

/// The body for the host, and what is still to be sent of it. The body of an answer to HEAD is only measured.
pub(crate) async fn body_of(body: BoxBody, head: bool) -> (Body, Option<Rest>) {
    let length = match body.size() {
        BodySize::None | BodySize::Sized(0) => return (Body::empty(), None),
        BodySize::Sized(length) => Some(length),
        BodySize::Stream => None,
    };
    let mut body = match body.try_into_bytes() {
        Ok(bytes) => return (Body::from(bytes), None),
        Err(body) => body,
    };
    let mut received = HostBody { pieces: VecDeque::new(), rest: None, left: length };
    if head {
        return (Body::new(received), None);
    }
    // A body in memory that middleware has wrapped still knows its length and gives its bytes in one poll.
    let mut read = 0;
    while read < AT_ONCE {
        match poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_next(cx))).await {
            Poll::Ready(Some(Ok(chunk))) => {
                read += chunk.len();
                received.pieces.push_back(Ok(Some(chunk)));
            }
            Poll::Ready(Some(Err(error))) => {
                received.pieces.push_back(Err(BodyError::other(error.to_string())));
                return (Body::new(received), None);
            }
            Poll::Ready(None) if length.is_none_or(|length| length == read as u64) => {
                return (Body::from(joined(received.pieces, read)), None);
            }
            Poll::Ready(None) => {
                received.pieces.push_back(Ok(None));
                return (Body::new(received), None);
            }
            Poll::Pending => break,
        }
    }
    let (sender, rest) = mpsc::channel(ROOM);
    received.rest = Some(rest);
    (Body::new(received), Some(Rest { body, sender }))
}

fn joined(pieces: VecDeque<Piece>, length: usize) -> Bytes {
    let mut chunks = pieces.into_iter().flatten().flatten();
    match (chunks.next(), chunks.next()) {
        (Some(first), None) => first,
        (first, second) => {
            let mut all = BytesMut::with_capacity(length);
            first.into_iter().chain(second).chain(chunks).for_each(|chunk| all.extend(chunk));
            all.freeze()
        }
    }
}

/// The part of a body that is not sent yet.
pub(crate) struct Rest {
    body: BoxBody,
    sender: mpsc::Sender<Piece>,
}

impl Rest {
    /// Sends it to its end, or until its reader is gone.
    pub(crate) async fn send(self) {
        let Self { mut body, sender } = self;
        // Reserve first: no chunk is produced before the channel has room for it.
        while let Ok(room) = sender.reserve().await {
            let next = poll_fn(|cx| Pin::new(&mut body).poll_next(cx));
            let next = AssertUnwindSafe(next).catch_unwind();
            let next = tokio::select! {
                biased;
                () = sender.closed() => return,
                next = next => next,
            };
            let piece = match next {
                Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
                Ok(Some(Err(error))) => Err(BodyError::other(error.to_string())),
                Ok(None) => Ok(None),
                Err(_) => Err(BodyError::other("the body panicked")),
            };
            let over = !matches!(piece, Ok(Some(_)));
            room.send(piece);
            if over {
                return;
            }
        }
    }
}

/// The host's end of a body.
struct HostBody {
    /// The bytes that were read before the head was sent.
    pieces: VecDeque<Piece>,
    rest: Option<mpsc::Receiver<Piece>>,
    /// How many bytes are left of the length that the application announced.
    left: Option<u64>,
}

impl http_body::Body for HostBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let piece = match (self.pieces.pop_front(), &mut self.rest) {
            (Some(piece), _) => piece,
            // The channel closed without an end marker: the thread died.
            (None, Some(rest)) => ready!(rest.poll_recv(cx)).unwrap_or_else(|| Err(broken())),
            (None, None) => return Poll::Ready(None),
        };
        let over = |mut body: Pin<&mut Self>| body.rest = None;
        Poll::Ready(match piece {
            Ok(Some(mut chunk)) => {
                if let Some(left) = &mut self.left {
                    // Bytes beyond the announced length are cut off, as on every door.
                    chunk.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= chunk.len() as u64;
                    if *left == 0 {
                        over(self.as_mut());
                        self.pieces.clear();
                    }
                }
                Some(Ok(Frame::data(chunk)))
            }
            Ok(None) => {
                over(self.as_mut());
                self.left.filter(|left| *left > 0).map(|_| Err(broken()))
            }
            Err(error) => {
                over(self.as_mut());
                Some(Err(error))
            }
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn broken() -> BodyError {
    BodyError::other("the body ended before its length")
}
