//! An error on its way through axum.

use anyhost_core::Error;
use axum::body::Body;
use axum::response::{IntoResponse, Response};

/// [`Error`] as axum's handlers return it: `?` works, and the host still logs the cause.
#[derive(Debug)]
pub(crate) struct Problem(Error);

impl<E: Into<Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.0.into_response().map(Body::new)
    }
}
