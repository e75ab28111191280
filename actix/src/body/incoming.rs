//! The body of a request on its way to the handler.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use anyhost_core::Body;
use bytes::Bytes;
use futures_core::Stream;
use http_body::Body as _;

/// The payload for a body. A stream stays the host's: it is polled on this thread, as the handler reads it.
pub(crate) fn payload_of(body: Body) -> Payload {
    match body.into_full() {
        Ok(bytes) if bytes.is_empty() => Payload::None,
        Ok(bytes) => Payload::from(bytes),
        Err(body) => Payload::Stream { payload: Box::pin(Incoming(body)) },
    }
}

struct Incoming(Body);

impl Stream for Incoming {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // actix-web has no place for trailers.
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                // The host's error stays in the chain of causes, where it finds its status.
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(PayloadError::Io(io::Error::other(error)))));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}
