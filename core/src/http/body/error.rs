//! A body that could not be read or produced to its end.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::LengthLimitError;

use crate::Error;

/// A body that could not be read or produced to its end.
///
/// An App that reads a request body passes it on with `?`: it becomes 413, 400 or 408. In a response it
/// means that the client gets a body that visibly breaks off, or a 500 if nothing was sent yet.
#[derive(Debug)]
pub struct BodyError(Why);

#[derive(Debug)]
enum Why {
    TooLarge { limit: usize, mark: LengthLimitError },
    Broken(Box<dyn std::error::Error + Send + Sync>),
    TimedOut,
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl BodyError {
    /// The body is larger than the host's limit in bytes: a 413.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        Self(Why::TooLarge { limit, mark: length_limit_error() })
    }

    /// The client broke off or sent what is no body: a 400.
    pub fn broken(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Why::Broken(cause.into()))
    }

    /// The client stopped sending, or sent too slowly: a 408.
    #[must_use]
    pub fn timed_out() -> Self {
        Self(Why::TimedOut)
    }

    /// The producer of the body failed.
    pub fn other(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        match cause.downcast::<Self>() {
            Ok(own) => *own,
            Err(cause) => Self(Why::Other(cause)),
        }
    }

    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self.0, Why::TooLarge { .. })
    }

    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.0, Why::Broken(_))
    }

    pub(crate) fn is_timed_out(&self) -> bool {
        matches!(self.0, Why::TimedOut)
    }

    pub(crate) fn to_response(&self) -> Error {
        match &self.0 {
            Why::TooLarge { limit, .. } => Error::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the request body is larger than {limit} bytes (MAX_BODY)"),
            )
            .with_extension("limit", *limit),
            Why::Broken(_) => {
                Error::new(StatusCode::BAD_REQUEST, "the request body could not be read to its end")
            }
            Why::TimedOut => {
                Error::new(StatusCode::REQUEST_TIMEOUT, "the request body stopped coming")
            }
            Why::Other(_) => Error::from_status(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::TooLarge { limit, .. } => write!(f, "the body is larger than {limit} bytes"),
            Why::Broken(cause) => write!(f, "the body broke off: {cause}"),
            Why::TimedOut => f.write_str("the client stopped sending the body"),
            Why::Other(cause) => fmt::Display::fmt(cause, f),
        }
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            // axum's extractors answer 413 if they find this type in the chain of causes.
            Why::TooLarge { mark, .. } => Some(mark),
            Why::Broken(cause) | Why::Other(cause) => Some(cause.as_ref()),
            Why::TimedOut => None,
        }
    }
}

/// The error of http_body_util has no constructor, so it is taken from a body that fails with it.
fn length_limit_error() -> LengthLimitError {
    let mut full =
        http_body_util::Limited::new(http_body_util::Full::new(Bytes::from_static(b"x")), 0);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    match http_body::Body::poll_frame(Pin::new(&mut full), &mut cx) {
        Poll::Ready(Some(Err(error))) => *error
            .downcast::<LengthLimitError>()
            .expect("one byte over a limit of none fails with the limit's own error"),
        other => unreachable!("one byte over a limit of none fails, got {other:?}"),
    }
}
