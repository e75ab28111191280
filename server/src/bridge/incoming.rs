//! A request body as it comes from a connection, whatever HTTP is spoken on it.

use std::task::{Context, Poll, ready};

use actix_http::Payload;
use anyhost_core::{Body, BodyError, Error, Request};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use h2::RecvStream;
use http::StatusCode;
use http::header::CONTENT_LENGTH;

use super::upload::Upload;
use crate::Config;

/// A body that is announced to be at most this long is read before the App is called: it is there in one
/// piece, nothing is handed over, and no slow client holds an App's resources.
const READ_AHEAD: u64 = 16 * 1024;

/// The rest of a request body.
pub(super) enum Incoming {
    Http1(Payload),
    Http2(RecvStream),
}

impl Incoming {
    pub(super) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let chunk = match self {
            Self::Http1(payload) => ready!(payload.poll_next_unpin(cx))
                .map(|chunk| chunk.map_err(|error| BodyError::broken(error.to_string()))),
            Self::Http2(stream) => ready!(stream.poll_data(cx)).map(|chunk| {
                chunk
                    // Whoever takes a chunk makes room for the next one.
                    .and_then(|chunk| {
                        stream.flow_control().release_capacity(chunk.len()).map(|()| chunk)
                    })
                    .map_err(|error| BodyError::broken(error.to_string()))
            }),
        };
        Poll::Ready(chunk)
    }

    pub(super) async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        std::future::poll_fn(|cx| self.poll_chunk(cx)).await
    }
}

/// The request with its body, and what moves the body while the App runs.
///
/// # Errors
/// What the client is told where its body does not come.
pub(super) async fn with_body(
    request: Request,
    mut incoming: Incoming,
    config: &Config,
) -> Result<(Request, Option<Upload>), Error> {
    let header = request.headers().get(CONTENT_LENGTH);
    let announced: Option<u64> = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let (body, upload) = match announced {
        Some(length) if length <= READ_AHEAD => {
            let read = whole(&mut incoming, length as usize);
            match tokio::time::timeout(config.body_timeout, read).await {
                Ok(Ok(bytes)) => (Body::from(bytes), None),
                Ok(Err(error)) => {
                    // The App decides what a body that broke off means to it; mostly nobody is left.
                    let broken = futures_util::stream::once(async { Err::<Bytes, _>(error) });
                    (Body::stream(broken), None)
                }
                Err(_) => {
                    let why = "the request body stopped coming";
                    return Err(Error::new(StatusCode::REQUEST_TIMEOUT, why));
                }
            }
        }
        _ => {
            let (upload, reader) = Upload::new(incoming, announced, config.body_timeout);
            (Body::new(reader), Some(upload))
        }
    };
    Ok((request.map(|_| body), upload))
}

/// A short body in one piece; without a copy where it came in one.
async fn whole(incoming: &mut Incoming, length: usize) -> Result<Bytes, BodyError> {
    let Some(first) = incoming.next().await else { return Ok(Bytes::new()) };
    let first = first?;
    if first.len() == length {
        // The end is known to be here; the payload is taken to it so that the connection can go on.
        return match incoming.next().await {
            None => Ok(first),
            Some(Ok(_)) => Err(BodyError::broken("more bytes than announced")),
            Some(Err(error)) => Err(error),
        };
    }
    let mut all = BytesMut::with_capacity(length);
    all.extend_from_slice(&first);
    while let Some(chunk) = incoming.next().await {
        all.extend_from_slice(&chunk?);
    }
    Ok(all.freeze())
}
