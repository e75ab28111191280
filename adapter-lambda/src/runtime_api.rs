//! Lambda's Runtime API and Extensions API, as this process speaks them.
//!
//! lambda_runtime's own loop is not used. It was read in 1.5.0, and in five places it cannot keep what
//! this crate promises; each is inside `Runtime::run` or `run_concurrent`, behind a client that cannot be
//! replaced:
//!
//! 1. `/next` answered with 500, or without a request id or a deadline, is an `expect` in `Context::new`
//!    and `invoke_request_id`: the process panics.
//! 2. A malformed client context or a connection lost while an answer is posted ends the loop: the
//!    invocation stays unanswered until it times out.
//! 3. `run_concurrent` polls again at once after an error, without a pause: a busy loop for as long as the
//!    API is away.
//! 4. `/error` is posted with the error type `unhandled`, which Lambda reads as `Runtime.Unknown`, and the
//!    trailers of a broken stream are written into its body.
//! 5. `run` calls `std::env::set_var` for every invocation, which races with every thread that resolves a
//!    name.
//!
//! This module replaces only the loop, on the same hyper. lambda_http's types stay: its
//! `Diagnostic` describes an error, its `Body` is posted.

mod ahead;
mod backoff;
mod connection;
mod endpoint;
mod extension;
mod fault;
mod invocation;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::lambda_runtime::streaming::Body;

pub(crate) use ahead::Ahead;
pub(crate) use backoff::Backoff;
use connection::Connection;
pub(crate) use endpoint::Endpoint;
pub(crate) use extension::Registration;
pub(crate) use fault::Fault;
pub(crate) use invocation::Invocation;

use crate::answers::{self, StreamedAnswer};

const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");

/// One client of the Runtime API: one connection, one request at a time.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    connection: Connection,
    next: Uri,
}

/// The outcome of posting an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Lambda accepted it, now or at an earlier try.
    Accepted,
    /// It is larger than Lambda accepts.
    TooLarge,
    /// Lambda refused it for good.
    Refused,
}

impl RuntimeApi {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        let next = endpoint.uri("/2018-06-01/runtime/invocation/next");
        Self { connection: Connection::new(endpoint), next }
    }

    /// Makes a client on a connection that was begun earlier.
    pub(crate) fn with(self, ahead: Option<Ahead>) -> Self {
        Self { connection: self.connection.with(ahead), ..self }
    }

    /// Waits for the next invocation, for as long as it takes: the process may be frozen meanwhile.
    ///
    /// # Errors
    /// [`Fault`], after which a later try may succeed.
    pub(crate) async fn next(&mut self) -> Result<Invocation, Fault> {
        let request = self.request(Method::GET, self.next.clone(), Body::empty());
        let reply = self.connection.call(request).await?;
        let (head, body) = reply.into_parts();
        match head.status {
            StatusCode::OK => {
                let event = body.collect().await.map_err(Fault::Http)?.to_bytes();
                Invocation::read(head.headers, event)
            }
            // Emulators reply with this status if no event has come for a while.
            StatusCode::NO_CONTENT => Err(Fault::NoEvent),
            status => Err(Fault::Status(status)),
        }
    }

    /// Posts an answer in one piece, and tries again if the connection breaks.
    pub(crate) async fn respond(&mut self, to: &Invocation, answer: Bytes) -> Delivery {
        let uri = self.invocation(to, "response");
        self.post(&uri, to, answer, |headers| {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        })
        .await
    }

    /// Posts an answer in chunks; bytes that were sent cannot be sent again.
    pub(crate) async fn stream(&mut self, to: &Invocation, answer: StreamedAnswer) -> Delivery {
        let mut request =
            self.request(Method::POST, self.invocation(to, "response"), Body::new(answer));
        let headers = request.headers_mut();
        headers.insert(RESPONSE_MODE, HeaderValue::from_static("streaming"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answers::CONTENT_TYPE));
        headers.insert(
            http::header::TRAILER,
            HeaderValue::from_static(
                "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
            ),
        );
        if let Some(id) = &to.invocation_id {
            headers.insert(INVOCATION_ID, id.clone());
        }
        match self.connection.status(request).await {
            Ok(status) => delivered(to, status),
            Err(fault) => {
                tracing::error!(request_id = to.id, "the answer was lost: {fault}");
                Delivery::Refused
            }
        }
    }

    /// Fails an invocation.
    pub(crate) async fn fail(&mut self, to: &Invocation, error: &Diagnostic) -> Delivery {
        let uri = self.invocation(to, "error");
        let kind = HeaderValue::from_str(&error.error_type);
        self.post(&uri, to, report(error), |headers| {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            if let Ok(kind) = &kind {
                headers.insert(ERROR_TYPE, kind.clone());
            }
        })
        .await
    }

    /// Reports that this process could not start.
    pub(crate) async fn fail_init(&mut self, error: &Diagnostic) {
        let uri = self.connection.endpoint().uri("/2018-06-01/runtime/init/error");
        let mut backoff = Backoff::default();
        loop {
            let mut request = self.request(Method::POST, uri.clone(), Body::from(report(error)));
            let headers = request.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            if let Ok(kind) = HeaderValue::from_str(&error.error_type) {
                headers.insert(ERROR_TYPE, kind);
            }
            let fault = match self.connection.status(request).await {
                Ok(status) if status.is_server_error() => Fault::Status(status),
                Ok(_) => return,
                Err(fault) => fault,
            };
            if !backoff.wait().await {
                tracing::warn!("Lambda could not be told that the start failed: {fault}");
                return;
            }
        }
    }

    /// Posts bytes, with as many tries as the backoff allows.
    async fn post(
        &mut self,
        uri: &Uri,
        to: &Invocation,
        body: Bytes,
        set: impl Fn(&mut http::HeaderMap),
    ) -> Delivery {
        let mut backoff = Backoff::default();
        loop {
            let mut request = self.request(Method::POST, uri.clone(), Body::from(body.clone()));
            set(request.headers_mut());
            if let Some(id) = &to.invocation_id {
                request.headers_mut().insert(INVOCATION_ID, id.clone());
            }
            let fault = match self.connection.status(request).await {
                // Refused after a try whose reply was lost: that try was accepted.
                Ok(StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST) if backoff.tried() => {
                    return Delivery::Accepted;
                }
                Ok(status) if !status.is_server_error() => return delivered(to, status),
                Ok(status) => Fault::Status(status),
                Err(fault) => fault,
            };
            if !backoff.wait().await {
                tracing::error!(request_id = to.id, "the answer was lost: {fault}");
                return Delivery::Refused;
            }
        }
    }

    fn invocation(&self, to: &Invocation, what: &str) -> Uri {
        let path = format!("/2018-06-01/runtime/invocation/{}/{what}", to.id);
        self.connection.endpoint().uri(&path)
    }

    fn request(&self, method: Method, uri: Uri, body: Body) -> Request<Body> {
        request(self.connection.endpoint(), method, uri, body)
    }
}

fn request(endpoint: &Endpoint, method: Method, uri: Uri, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    request.headers_mut().insert(HOST, endpoint.host().clone());
    let agent = concat!("anyhost-lambda/", env!("CARGO_PKG_VERSION"));
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(agent));
    request
}

fn delivered(to: &Invocation, status: StatusCode) -> Delivery {
    match status {
        _ if status.is_success() => Delivery::Accepted,
        StatusCode::PAYLOAD_TOO_LARGE => Delivery::TooLarge,
        _ => {
            let id = &to.id;
            tracing::error!(request_id = id, "Lambda did not take the answer: it said {status}");
            Delivery::Refused
        }
    }
}

/// An error as Lambda reads it.
fn report(error: &Diagnostic) -> Bytes {
    let Diagnostic { error_type, error_message } = error;
    let report = serde_json::json!({
        "errorType": error_type,
        "errorMessage": error_message,
        "stackTrace": [],
    });
    Bytes::from(report.to_string())
}
