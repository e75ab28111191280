//! The body of a request or response: empty, whole, or a stream under backpressure.

mod error;
mod whole;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

pub use error::BodyError;
use whole::gathered;

/// The largest request body where `MAX_BODY` is not set: 6 MiB, AWS Lambda's limit for one invocation,
/// so that an App meets the same limit on every host.
pub const DEFAULT_MAX_BODY: usize = 6 * 1024 * 1024;

type BoxBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>;

/// The bytes of a request or response.
///
/// A body that is known whole is never boxed or copied; a stream is polled only as fast as its reader
/// takes it.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use anyhost_core::Body;
///
/// let body = Body::stream(futures_util::stream::iter([Ok::<_, std::io::Error>("one "), Ok("two")]));
/// assert_eq!(body.bytes().await?, "one two");
/// # Ok::<(), anyhost_core::BodyError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Whole(Bytes),
    /// With the request that it answers, once that is known.
    Stream(BoxBody, Option<crate::Context>),
}

impl Body {
    /// A body of no bytes.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// A body from any `http_body::Body`, an axum body for instance.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if http_body::Body::is_end_stream(&body) {
            return Self::empty();
        }
        // A body that is ours already comes back unchanged, without another box around it.
        let mut body = Some(body);
        if let Some(own) = (&mut body as &mut dyn std::any::Any).downcast_mut::<Option<Self>>() {
            return own.take().unwrap_or_default();
        }
        match body {
            Some(body) => Self(Kind::Stream(Box::pin(body.map_err(BodyError::other)), None)),
            None => Self::empty(),
        }
    }

    /// A body from a stream of chunks.
    pub fn stream<S, T, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<T, E>> + Send + 'static,
        T: Into<Bytes> + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        Self(Kind::Stream(Box::pin(Chunks(Box::pin(stream))), None))
    }

    /// The whole body.
    ///
    /// # Errors
    /// [`BodyError`] where the stream fails or the request body exceeds the host's limit.
    pub async fn bytes(self) -> Result<Bytes, BodyError> {
        match self.0 {
            Kind::Empty => Ok(Bytes::new()),
            Kind::Whole(bytes) => Ok(bytes),
            Kind::Stream(stream, _) => gathered(stream).await,
        }
    }

    /// The bytes of a body that is known whole, or the body back where it is a stream.
    ///
    /// # Errors
    /// The body itself, unchanged, where it is a stream.
    pub fn into_full(self) -> Result<Bytes, Self> {
        match self.0 {
            Kind::Empty => Ok(Bytes::new()),
            Kind::Whole(bytes) => Ok(bytes),
            Kind::Stream(..) => Err(self),
        }
    }

    /// The exact number of bytes where it is known.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        http_body::Body::size_hint(self).exact()
    }

    /// Whether the body is known to have no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The request that this body answers, where it is a stream that an adapter is sending.
    #[must_use]
    pub fn context(&self) -> Option<&crate::Context> {
        match &self.0 {
            Kind::Stream(_, context) => context.as_ref(),
            Kind::Empty | Kind::Whole(_) => None,
        }
    }

    /// What makes the body works for this request from here on.
    pub(crate) fn work_for(&mut self, request: &crate::Context) {
        if let Kind::Stream(_, context) = &mut self.0 {
            *context = Some(request.clone());
        }
    }

    /// The body with a limit: reading beyond it fails with [`BodyError`] and raises the flag, so that
    /// the host answers 413 whatever the App makes of the error.
    #[must_use]
    pub(crate) fn limited(self, limit: usize, exceeded: Arc<AtomicBool>) -> Self {
        match self.0 {
            Kind::Stream(stream, context) => {
                let limited = Limited { stream, left: limit, limit, exceeded };
                Self(Kind::Stream(Box::pin(limited), context))
            }
            whole => Self(whole),
        }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::empty() } else { Self(Kind::Whole(bytes)) }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Stream(stream, None) => stream.as_mut().poll_frame(cx),
            Kind::Stream(stream, Some(context)) => {
                context.within_call(|| stream.as_mut().poll_frame(cx))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Whole(_) => false,
            Kind::Stream(stream, _) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(stream, _) => stream.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Body::Empty"),
            Kind::Whole(bytes) => write!(f, "Body::Whole({} bytes)", bytes.len()),
            Kind::Stream(..) => f.write_str("Body::Stream"),
        }
    }
}

struct Chunks<S>(Pin<Box<S>>);

impl<S, T, E> http_body::Body for Chunks<S>
where
    S: Stream<Item = Result<T, E>>,
    T: Into<Bytes>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let chunk = ready!(self.0.as_mut().poll_next(cx));
        Poll::Ready(chunk.map(|chunk| match chunk {
            Ok(bytes) => Ok(Frame::data(bytes.into())),
            Err(error) => Err(BodyError::other(error)),
        }))
    }
}

struct Limited {
    stream: BoxBody,
    left: usize,
    limit: usize,
    exceeded: Arc<AtomicBool>,
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.stream.as_mut().poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len()) {
                Some(left) => self.left = left,
                None => {
                    self.exceeded.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(BodyError::too_large(self.limit))));
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.stream.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::LengthLimitError;

    use super::*;

    fn chunks(parts: &'static [&'static str]) -> Body {
        Body::stream(futures_util::stream::iter(parts.iter().map(|p| Ok::<_, BodyError>(*p))))
    }

    #[tokio::test]
    async fn a_limit_is_exact() {
        let exceeded = Arc::new(AtomicBool::new(false));
        let body = chunks(&["12345", "67890"]).limited(10, Arc::clone(&exceeded));
        assert_eq!(body.bytes().await.expect("ten bytes fit"), "1234567890");
        assert!(!exceeded.load(Ordering::Relaxed));

        let body = chunks(&["12345", "678901"]).limited(10, Arc::clone(&exceeded));
        let error = body.bytes().await.expect_err("eleven bytes do not fit");
        assert_eq!(error.to_string(), "the body is larger than 10 bytes");
        assert!(crate::error::find::<LengthLimitError>(&error).is_some());
        assert!(exceeded.load(Ordering::Relaxed));
    }

    #[test]
    fn an_own_body_is_not_wrapped_again() {
        let body = Body::new(Body::from("whole"));
        assert_eq!(body.into_full().expect("still whole"), "whole");
    }
}
