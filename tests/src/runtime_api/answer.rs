//! How an invocation was answered.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

/// How the function answered one invocation.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It posted to `/response`.
    Response(Response),
    /// It posted to `/error`.
    Error(Failure),
}

impl Answer {
    /// The response.
    #[must_use]
    #[track_caller]
    pub fn response(self) -> Response {
        match self {
            Self::Response(response) => response,
            Self::Error(failed) => panic!("the invocation failed: {failed:?}"),
        }
    }

    /// The failure.
    #[must_use]
    #[track_caller]
    pub fn error(self) -> Failure {
        match self {
            Self::Error(failed) => failed,
            Self::Response(response) => panic!("the invocation was answered: {response:?}"),
        }
    }
}

/// What was posted to `/response`.
#[derive(Clone, Debug)]
pub struct Response {
    /// The headers of the post, those of the Runtime API.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The trailers after the body, if there are any.
    pub trailers: Option<HeaderMap>,
}

impl Response {
    /// The body as JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// Whether it was posted in streaming mode.
    #[must_use]
    pub fn streamed(&self) -> bool {
        let mode = self.headers.get("lambda-runtime-function-response-mode");
        mode.is_some_and(|mode| mode == "streaming")
    }

    /// The prelude and the body of a streamed response.
    #[must_use]
    #[track_caller]
    pub fn prelude(&self) -> (Value, &[u8]) {
        let end = self.body.windows(8).position(|bytes| bytes == [0; 8]);
        let end = end.expect("eight NULs end the prelude");
        let prelude = serde_json::from_slice(&self.body[..end]).expect("the prelude is JSON");
        (prelude, &self.body[end + 8..])
    }
}

/// What was posted to `/error` or to `/runtime/init/error`.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The error type in the header, by which AWS counts errors.
    pub header_type: Option<String>,
    /// The error type in the body.
    pub error_type: String,
    /// The message in the body.
    pub message: String,
}

impl Failure {
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let header_type = headers.get("lambda-runtime-function-error-type");
        Self {
            header_type: header_type.map(|kind| String::from_utf8_lossy(kind.as_bytes()).into()),
            error_type: text("errorType"),
            message: text("errorMessage"),
        }
    }
}
