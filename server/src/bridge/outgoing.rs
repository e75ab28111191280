//! A response body on its way from the App to the connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_http::body::{BodySize, MessageBody};
use anyhost_core::{Body, BodyError};
use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use super::active::Active;
use super::upload::Upload;

/// The largest piece of a whole body that is handed over at once. actix copies what it gets into its write
/// buffer, which would otherwise grow to the size of the body.
const PIECE: usize = 64 * 1024;

/// A response body as actix takes it.
pub(crate) struct Outgoing {
    kind: Kind,
    size: BodySize,
    /// The rest of the request body, where the App reads it while it answers.
    upload: Option<Box<Upload>>,
    trailers: Option<Box<HeaderMap>>,
    _active: Active,
}

enum Kind {
    Done,
    Whole(Bytes),
    Stream {
        body: Body,
        /// Bytes that are announced and not yet sent.
        left: Option<u64>,
    },
    Failed(BodyError),
}

impl Outgoing {
    /// No body; `size` is what the head says of it.
    pub(super) fn none(size: BodySize, active: Active) -> Self {
        Self { kind: Kind::Done, size, upload: None, trailers: None, _active: active }
    }

    pub(super) fn new(
        body: Body,
        declared: Option<u64>,
        upload: Option<Upload>,
        active: Active,
    ) -> Self {
        // Boxed: few responses have one, and the dispatcher moves every response about.
        let upload = upload.map(Box::new);
        match body.into_full() {
            Ok(bytes) => {
                let size = BodySize::Sized(bytes.len() as u64);
                Self { kind: Kind::Whole(bytes), size, upload, trailers: None, _active: active }
            }
            Err(body) => {
                let left = body.len().or(declared);
                let size = left.map_or(BodySize::Stream, BodySize::Sized);
                Self {
                    kind: Kind::Stream { body, left },
                    size,
                    upload,
                    trailers: None,
                    _active: active,
                }
            }
        }
    }
}

impl Outgoing {
    /// Whether it is known that no more bytes and no trailers follow.
    pub(super) fn ended(&self) -> bool {
        matches!(self.kind, Kind::Done) && self.trailers.is_none()
    }

    /// What the App sends behind its body.
    pub(super) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take().map(|trailers| *trailers)
    }
}

impl MessageBody for Outgoing {
    type Error = BodyError;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let this = &mut *self;
        if let Some(upload) = &mut this.upload {
            upload.poll(cx);
        }
        loop {
            match &mut this.kind {
                Kind::Done => return Poll::Ready(None),
                Kind::Whole(bytes) => {
                    let piece = bytes.split_to(bytes.len().min(PIECE));
                    if bytes.is_empty() {
                        this.kind = Kind::Done;
                    }
                    if !piece.is_empty() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Kind::Stream { left: Some(0), .. } => this.kind = Kind::Done,
                Kind::Stream { body, left } => {
                    let frame = ready!(http_body::Body::poll_frame(Pin::new(body), cx));
                    let failed = match frame.map(|frame| frame.map(Frame::into_data)) {
                        Some(Ok(Ok(mut data))) => {
                            if let Some(left) = left {
                                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                                *left -= data.len() as u64;
                            }
                            // An empty chunk would end the body.
                            if data.is_empty() {
                                continue;
                            }
                            return Poll::Ready(Some(Ok(data)));
                        }
                        Some(Ok(Err(frame))) => {
                            // HTTP/1.1 does not carry them here.
                            this.trailers = frame.into_trailers().ok().map(Box::new);
                            continue;
                        }
                        Some(Err(error)) => error,
                        None => match left {
                            None | Some(0) => {
                                this.kind = Kind::Done;
                                continue;
                            }
                            Some(left) => {
                                let missing = format!("{left} bytes less than it announced");
                                BodyError::other(missing)
                            }
                        },
                    };
                    let say = || tracing::error!("a response breaks off: {failed}");
                    match body.context() {
                        Some(context) => context.within_call(say),
                        None => say(),
                    }
                    // What came before goes out first; then the connection breaks off.
                    this.kind = Kind::Failed(failed);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Kind::Failed(_) => {
                    let Kind::Failed(error) = std::mem::replace(&mut this.kind, Kind::Done) else {
                        return Poll::Ready(None);
                    };
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}
