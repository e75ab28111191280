//! From a request to a response that any door can send: the rules that all doors share, once.

mod lines;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, Entry, HeaderName};
use http::{HeaderValue, Method, StatusCode};
use lines::log;

use crate::error::Reported;
use crate::{
    Body, BodyError, Context, Error, Handler, Request, Response, strip_hop_by_hop, within,
};

/// The name under which a response says which request it answers.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Runs an App for one request and turns whatever comes of it into a response.
///
/// - A body over `max_body` bytes is a 413, whether its length was announced or found out.
/// - An error is a problem with the request id; its cause is logged.
/// - A panic is a 500 for this request; the process lives on.
/// - The response is one that every door can send: a final status, no headers of a single connection, no
///   body where the status or the method allows none, a content length that is true.
///
/// The request's [`Context`] gives the id and the deadline; a request without one gets a fresh id. The
/// response names it in `X-Request-Id`, unless the App has done so.
pub async fn answer<A: Handler>(app: &A, max_body: usize, request: Request) -> Response {
    let context = match request.extensions().get::<Context>() {
        Some(context) => context.clone(),
        None => Context::fresh(),
    };
    let mut request = request;
    // By reference: each future that holds a request by value is as large, and moves it once more.
    context.clone().within(answer_within(app, max_body, &mut request, &context)).await
}

async fn answer_within<A: Handler>(
    app: &A,
    max_body: usize,
    request: &mut Request,
    context: &Context,
) -> Response {
    let method = request.method().clone();
    let mut response = if announced(request).is_some_and(|length| length > max_body as u64) {
        BodyError::too_large(max_body).to_response().render(Some(context.request_id()))
    } else {
        let exceeded = limit(request, max_body);
        let response = call(app, context, request).await;
        match exceeded {
            Some(exceeded) if exceeded.load(Ordering::Relaxed) => {
                BodyError::too_large(max_body).to_response().render(Some(context.request_id()))
            }
            _ => response,
        }
    };
    settle(&method, context, &mut response);
    response
}

/// Answers a request that a door cannot give to an App, for what it is or because its time is up, with
/// an error instead: the same problem, log line and rules as an App's own error.
pub fn refuse(method: &Method, context: &Context, error: Error) -> Response {
    context.within_call(|| log(context.request_id(), &error));
    let mut response = error.render(Some(context.request_id()));
    settle(method, context, &mut response);
    response
}

fn announced(request: &Request) -> Option<u64> {
    request
        .body()
        .len()
        .filter(|length| *length > 0)
        .or_else(|| request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok())
}

/// Limits a streaming body; a whole one has been measured already.
fn limit(request: &mut Request, max_body: usize) -> Option<Arc<AtomicBool>> {
    if request.body().len().is_some() {
        return None;
    }
    let exceeded = Arc::new(AtomicBool::new(false));
    let body = std::mem::take(request.body_mut());
    *request.body_mut() = body.limited(max_body, Arc::clone(&exceeded));
    Some(exceeded)
}

async fn call<A: Handler>(app: &A, context: &Context, request: &mut Request) -> Response {
    // An App that panics half-way may leave its own state torn, as it would in a thread of its own;
    // nothing of ours is shared with it. The future is caught where it is made too: an App written
    // without the attribute may do work there.
    let call = catch_unwind(AssertUnwindSafe(|| app.handle(std::mem::take(request))));
    let outcome = match call.map(AssertUnwindSafe) {
        Ok(call) => match context.deadline() {
            Some(deadline) => within(deadline, call.catch_unwind()).await,
            None => call.catch_unwind().await,
        },
        Err(panic) => Err(panic),
    };
    let id = context.request_id();
    match outcome {
        Ok(Ok(mut response)) => match response.extensions_mut().remove() {
            Some(Reported(error)) => reported(id, &error, &response),
            None => response,
        },
        Ok(Err(error)) => {
            log(id, &error);
            error.render(Some(id))
        }
        Err(panic) => {
            let message = panic
                .downcast_ref::<&str>()
                .copied()
                .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
                .unwrap_or("a panic without a message");
            tracing::error!(request_id = id, "the App panicked: {message}");
            Error::from_status(StatusCode::INTERNAL_SERVER_ERROR).render(Some(id))
        }
    }
}

/// Logs an error that reached us as a response, through a router for instance, and adds the request id.
fn reported(id: &str, error: &Error, response: &Response) -> Response {
    log(id, error);
    let mut rendered = error.render(Some(id));
    for (name, value) in response.headers() {
        // What middleware added stays; what describes the body that is replaced does not.
        if ![CONTENT_LENGTH, CONTENT_ENCODING].contains(name)
            && !rendered.headers().contains_key(name)
        {
            rendered.headers_mut().append(name, value.clone());
        }
    }
    rendered
}

fn settle(method: &Method, context: &Context, response: &mut Response) {
    if response.status().is_informational() {
        let id = context.request_id();
        tracing::error!(
            request_id = id,
            "the App answered {}, which is not final",
            response.status()
        );
        *response = Error::from_status(StatusCode::INTERNAL_SERVER_ERROR).render(Some(id));
    }
    strip_hop_by_hop(response.headers_mut());
    if [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&response.status()) {
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_LENGTH);
        response.headers_mut().remove(CONTENT_TYPE);
    } else if *method == Method::HEAD {
        match std::mem::take(response.body_mut()).len() {
            // The App's own length stands where it sent no body: it may know what GET would give.
            Some(0) => {}
            Some(length) => {
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            None => {}
        }
    } else if response.body().len().is_some() {
        // The door counts the bytes; a length that disagrees would cut the answer or hang the client.
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response.body_mut().work_for(context);
    if let Entry::Vacant(vacant) = response.headers_mut().entry(&REQUEST_ID)
        && let Ok(id) = HeaderValue::from_str(context.request_id())
    {
        vacant.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::App;
    use crate::{Host, async_trait};

    struct Answers(fn() -> Result<Response, Error>);

    #[async_trait]
    impl App for Answers {
        async fn start(_host: &Host) -> Result<Self, Error> {
            Err(Error::from_status(StatusCode::NOT_IMPLEMENTED))
        }

        async fn call(&self, request: Request) -> Result<Response, Error> {
            request.into_body().bytes().await?;
            (self.0)()
        }
    }

    fn post(body: Body) -> Request {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        request
    }

    #[tokio::test]
    async fn a_stream_over_the_limit_is_413_whatever_the_app_says() {
        struct Swallows;
        #[async_trait]
        impl App for Swallows {
            async fn start(_host: &Host) -> Result<Self, Error> {
                Ok(Self)
            }
            async fn call(&self, request: Request) -> Result<Response, Error> {
                let _ = request.into_body().bytes().await;
                Ok(Response::new(Body::from("fine")))
            }
        }
        let chunks = futures_util::stream::iter([Ok::<_, BodyError>("12345"), Ok("6789")]);
        let response = answer(&Swallows, 8, post(Body::stream(chunks))).await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(response.headers()[CONTENT_TYPE], crate::PROBLEM_JSON);
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_never_reaches_the_app() {
        let app = Answers(|| panic!("must not be called"));
        let mut request =
            post(Body::stream(futures_util::stream::pending::<Result<Chunk, BodyError>>()));
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(9));
        assert_eq!(answer(&app, 8, request).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    type Chunk = &'static str;

    #[tokio::test]
    async fn an_error_in_a_response_gets_the_request_id() {
        let app = Answers(|| Ok(Error::new(StatusCode::CONFLICT, "taken").into_response()));
        let mut request = post(Body::empty());
        request.extensions_mut().insert(Context::new("r-7"));
        let response = answer(&app, 8, request).await;
        assert_eq!(response.status(), StatusCode::CONFLICT);
        let body = response.into_body().bytes().await.expect("buffered");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&body["detail"], &body["request_id"]), (&"taken".into(), &"r-7".into()));
    }

    #[tokio::test]
    async fn an_informational_status_and_a_panic_are_500() {
        for app in [
            Answers(|| {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                Ok(response)
            }),
            Answers(|| panic!("oh no")),
        ] {
            let response = answer(&app, 8, post(Body::empty())).await;
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
}
