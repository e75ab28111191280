//! The body of a request or response: empty, whole, or a stream under backpressure.
//!
//! Long because the two forms of a body share every method.

mod error;
mod whole;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

pub use error::BodyError;
use whole::gathered;

/// The largest request body if `MAX_BODY` is not set: 6 MiB, AWS Lambda's limit for one invocation,
/// so that an App meets the same limit on every host.
pub(crate) const DEFAULT_MAX_BODY: usize = 6 * 1024 * 1024;

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
    Stream(BodyStream),
}

/// A body that is read piece by piece.
struct BodyStream {
    inner: BoxBody,
    /// The request that it belongs to, once that is known.
    context: Option<crate::Context>,
    bound: Bound,
}

/// The limit that ends a stream with an error.
#[derive(Clone, Copy)]
enum Bound {
    None,
    /// A request body: at most this many bytes, of which this many are left.
    Limit {
        limit: usize,
        left: usize,
    },
    /// A response body: exactly this many bytes more, because its head announces them.
    Announced {
        left: u64,
    },
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
            Some(body) => Self::boxed(Box::pin(body.map_err(BodyError::other))),
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
        Self::boxed(Box::pin(Chunks(Box::pin(stream))))
    }

    fn boxed(inner: BoxBody) -> Self {
        Self(Kind::Stream(BodyStream { inner, context: None, bound: Bound::None }))
    }

    /// The whole body.
    ///
    /// # Errors
    /// [`BodyError`] if the stream fails or the request body exceeds the host's limit.
    pub async fn bytes(self) -> Result<Bytes, BodyError> {
        match self.0 {
            Kind::Empty => Ok(Bytes::new()),
            Kind::Whole(bytes) => Ok(bytes),
            Kind::Stream(stream) => gathered(Self(Kind::Stream(stream))).await,
        }
    }

    /// The bytes of a body that is known whole, or the body back if it is a stream.
    ///
    /// # Errors
    /// The body itself, unchanged, if it is a stream.
    pub fn into_full(self) -> Result<Bytes, Self> {
        match self.0 {
            Kind::Empty => Ok(Bytes::new()),
            Kind::Whole(bytes) => Ok(bytes),
            Kind::Stream(_) => Err(self),
        }
    }

    /// The exact number of bytes if it is known.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        http_body::Body::size_hint(self).exact()
    }

    /// Whether the body is known to have no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The request that this body answers, if it is a stream that an adapter is sending.
    #[must_use]
    pub fn context(&self) -> Option<&crate::Context> {
        match &self.0 {
            Kind::Stream(stream) => stream.context.as_ref(),
            Kind::Empty | Kind::Whole(_) => None,
        }
    }

    /// Makes a stream the body of a response: it works for this request, and is exactly as long as the response's
    /// head announces. What is longer is cut, what is shorter fails.
    pub(crate) fn respond_to(&mut self, request: &crate::Context, announced: Option<u64>) {
        if let Kind::Stream(stream) = &mut self.0 {
            stream.context = Some(request.clone());
            if let Some(left) = announced {
                stream.bound = Bound::Announced { left };
            }
        }
    }

    /// Makes a stream the body of this request: reading beyond the limit in bytes fails with [`BodyError`], and
    /// every fault of the client is noted in the context, so that the host can answer whatever the App makes of it.
    pub(crate) fn limit(&mut self, limit: usize, request: &crate::Context) {
        if let Kind::Stream(stream) = &mut self.0 {
            stream.context = Some(request.clone());
            stream.bound = Bound::Limit { limit, left: limit };
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
            Kind::Stream(stream) => stream.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Whole(_) => false,
            Kind::Stream(BodyStream { bound: Bound::Announced { left }, .. }) => *left == 0,
            Kind::Stream(stream) => stream.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(BodyStream { bound: Bound::Announced { left }, .. }) => {
                SizeHint::with_exact(*left)
            }
            Kind::Stream(stream) => stream.inner.size_hint(),
        }
    }
}

impl BodyStream {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.bound {
            Bound::None => in_context(&self.context, &mut self.inner, cx),
            Bound::Limit { limit, left } => {
                let frame = ready!(self.inner.as_mut().poll_frame(cx));
                let frame = match frame {
                    Some(Ok(frame)) => match frame.data_ref().map_or(0, Bytes::len) {
                        read if read > *left => Some(Err(BodyError::too_large(*limit))),
                        read => {
                            *left -= read;
                            Some(Ok(frame))
                        }
                    },
                    other => other,
                };
                if let (Some(Err(error)), Some(context)) = (&frame, &self.context) {
                    context.fault().note(error);
                }
                Poll::Ready(frame)
            }
            Bound::Announced { left: 0 } => Poll::Ready(None),
            Bound::Announced { left } => {
                let frame = ready!(in_context(&self.context, &mut self.inner, cx));
                Poll::Ready(match frame {
                    Some(Ok(frame)) => Some(Ok(frame.map_data(|mut data| {
                        data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                        *left -= data.len() as u64;
                        data
                    }))),
                    Some(Err(error)) => Some(Err(error)),
                    None => {
                        Some(Err(BodyError::other(format!("{left} bytes less than it announced"))))
                    }
                })
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Body::Empty"),
            Kind::Whole(bytes) => write!(f, "Body::Whole({} bytes)", bytes.len()),
            Kind::Stream(_) => f.write_str("Body::Stream"),
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

/// Polls a response body as a part of the request it answers.
fn in_context(
    context: &Option<crate::Context>,
    body: &mut BoxBody,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    match context {
        Some(context) => context.within_call(|| body.as_mut().poll_frame(cx)),
        None => body.as_mut().poll_frame(cx),
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
        let context = crate::Context::new("r-1");
        let mut body = chunks(&["12345", "67890"]);
        body.limit(10, &context);
        assert_eq!(body.bytes().await.expect("ten bytes fit"), "1234567890");
        assert!(!context.fault().is_noted());

        let mut body = chunks(&["12345", "678901"]);
        body.limit(10, &context);
        let error = body.bytes().await.expect_err("eleven bytes do not fit");
        assert_eq!(error.to_string(), "the body is larger than 10 bytes");
        assert!(crate::error::find::<LengthLimitError>(&error).is_some());
        assert!(context.fault().is_noted());
    }

    #[tokio::test]
    async fn a_response_is_as_long_as_it_announces() {
        let context = crate::Context::new("r-1");
        for (announced, expected) in [(3, Some("123")), (7, Some("1234567")), (8, None)] {
            let mut body = chunks(&["12345", "67"]);
            body.respond_to(&context, Some(announced));
            assert_eq!(body.len(), Some(announced));
            let read = body.bytes().await;
            assert_eq!(read.ok().as_deref(), expected.map(str::as_bytes), "{announced}");
        }
    }

    #[test]
    fn an_own_body_is_not_wrapped_again() {
        let body = Body::new(Body::from("whole"));
        assert_eq!(body.into_full().expect("still whole"), "whole");
    }
}
