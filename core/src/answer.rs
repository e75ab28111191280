//! From a request to a response that any door can send: the rules that all doors share, once.

mod lines;

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, Entry, HeaderName, TRAILER, UPGRADE,
};
use http::{HeaderValue, Method, StatusCode};
use lines::log;

use crate::error::ResponseError;
use crate::http::Current;
use crate::http::strip_hop_by_hop;
use crate::{Body, BodyError, Context, Error, Handler, Request, Response};

/// The name under which a response says which request it answers.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Runs an App for one request and turns whatever comes of it into a response.
///
/// - A body over `max_body` bytes is a 413, whether its length was announced or found out. One that breaks off or
///   does not come is a 400 or a 408. All three are the client's fault whatever the App makes of the error.
/// - An error is a problem with the request id; its cause is logged.
/// - A panic is a 500 for this request; the process lives on.
/// - The response is one that every door can send: a final status, no headers of a single connection, no
///   body if its status allows none, a content length that is true. Status 101 is final for a request that
///   [`upgrades`](Context::upgrades).
///
/// The request's [`Context`] gives the id and the deadline; a request without one gets a fresh id. The
/// response names it in `X-Request-Id`, unless the App has done so.
///
/// The request is taken out of the reference when the App is called: passed by value, it would be copied into each future
/// on its way.
pub async fn answer<H: Handler>(app: &H, max_body: usize, request: &mut Request) -> Response {
    let context = match request.extensions().get::<Context>() {
        Some(context) => context.clone(),
        None => Context::fresh(),
    };
    let method = request.method().clone();
    let mut response = if announced(request).is_some_and(|length| length > max_body as u64) {
        // The App does not read the body: the door learns that now, and not when the request is dropped.
        drop(std::mem::take(request.body_mut()));
        let error = BodyError::too_large(max_body).to_response();
        context.within_call(|| failed(&context, &error))
    } else {
        request.body_mut().limit(max_body, &context);
        let current = Current::get();
        let current = current.with_deadline(context.deadline()).with_context(context.clone());
        // Put in its place inside of the block: returned, it would be copied out of each future around it.
        let mut made = None;
        // An App that panics half-way may leave its own state torn, as it would in a thread of its own;
        // nothing of ours is shared with it. The future is made inside of the block too: an App written
        // without the attribute may do work there.
        let call = AssertUnwindSafe(async {
            made = Some(app.handle(std::mem::take(request)).await);
        });
        let panic = current.scope(call.catch_unwind()).await.err();
        let fault = context.fault().to_error(max_body);
        match made {
            Some(Ok(response))
                if fault.is_none() && response.extensions().get::<ResponseError>().is_none() =>
            {
                response
            }
            made => context.within_call(|| match (fault, made, panic) {
                (Some(error), ..) | (None, Some(Err(error)), _) => failed(&context, &error),
                (None, Some(Ok(response)), _) => reported(&context, response),
                (None, None, panic) => panicked(&context, panic),
            }),
        }
    };
    settle(&method, &context, &mut response);
    response
}

/// Answers a request that a door cannot give to an App, for what it is or because its time is up, with
/// an error instead: the same problem, log line and rules as an App's own error.
pub fn refuse(method: &Method, context: &Context, error: Error) -> Response {
    let mut response = context.within_call(|| failed(context, &error));
    settle(method, context, &mut response);
    response
}

fn announced(request: &Request) -> Option<u64> {
    let header = || request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    request.body().len().or_else(header)
}

/// Returns the response to a request on which the App panicked.
fn panicked(context: &Context, panic: Option<Box<dyn Any + Send>>) -> Response {
    let message = panic.as_ref().and_then(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
    });
    let (id, message) = (context.request_id(), message.unwrap_or("a panic without a message"));
    tracing::error!(request_id = id, "the App panicked: {message}");
    Error::from_status(StatusCode::INTERNAL_SERVER_ERROR).render(Some(id))
}

/// Logs an error and returns the response that it is.
fn failed(context: &Context, error: &Error) -> Response {
    log(context.request_id(), error);
    error.render(Some(context.request_id()))
}

/// Logs an error that reached us inside of a response, through a router for instance, and adds the request id.
fn reported(context: &Context, mut response: Response) -> Response {
    let Some(ResponseError(error)) = response.extensions_mut().remove() else { return response };
    let mut rendered = failed(context, &error);
    for (name, value) in response.headers() {
        // Headers that middleware added are kept; those that describe the replaced body are removed.
        if ![CONTENT_LENGTH, CONTENT_ENCODING].contains(name)
            && !rendered.headers().contains_key(name)
        {
            rendered.headers_mut().append(name, value.clone());
        }
    }
    rendered
}

/// Makes a response one that every door can send.
fn settle(method: &Method, context: &Context, response: &mut Response) {
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS && context.upgrades() {
        let kept = [CONNECTION, UPGRADE].map(|name| (response.headers_mut().remove(&name), name));
        strip_hop_by_hop(response.headers_mut());
        for (value, name) in kept {
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
        return name_request(context, response);
    }
    // Statuses beyond 599 have no meaning (RFC 9110 §15).
    if status.is_informational() || status.as_u16() > 599 {
        let id = context.request_id();
        tracing::error!(request_id = id, "the App answered {status}, which is no final status");
        *response = Error::from_status(StatusCode::INTERNAL_SERVER_ERROR).render(Some(id));
    }
    let trailers = match context.takes_trailers() {
        true => announced_trailers(response),
        false => Vec::new(),
    };
    strip_hop_by_hop(response.headers_mut());
    for names in trailers {
        response.headers_mut().append(TRAILER, names);
    }
    // RFC 9110 §15.3.5, §15.3.6, §15.4.5: none of these has content.
    if [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED]
        .contains(&status)
    {
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_LENGTH);
        response.headers_mut().remove(CONTENT_TYPE);
    } else if *method == Method::HEAD {
        match std::mem::take(response.body_mut()).len() {
            // The App's own length stands if it sent no body: it may know what GET would give.
            Some(0) => {}
            Some(length) => {
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            None => {}
        }
    } else {
        // The door counts the bytes. A length of the App's own is true of a stream, which is held to it.
        let announced = response.headers_mut().remove(CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
        let known = response.body().len();
        response.body_mut().respond_to(context, announced.filter(|_| known.is_none()));
    }
    name_request(context, response);
}

/// Returns what names the trailers of a response: HTTP/1.1 sends no others, and none behind a body with a length.
fn announced_trailers(response: &Response) -> Vec<HeaderValue> {
    let headers = response.headers();
    match response.body().len().is_none() && !headers.contains_key(CONTENT_LENGTH) {
        true => headers.get_all(TRAILER).iter().cloned().collect(),
        false => Vec::new(),
    }
}

/// Says which request a response answers.
fn name_request(context: &Context, response: &mut Response) {
    if let Entry::Vacant(entry) = response.headers_mut().entry(&REQUEST_ID)
        && let Ok(id) = HeaderValue::from_str(context.request_id())
    {
        entry.insert(id);
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
        let response = answer(&Swallows, 8, &mut post(Body::stream(chunks))).await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_never_reaches_the_app() {
        let app = Answers(|| panic!("must not be called"));
        let mut request =
            post(Body::stream(futures_util::stream::pending::<Result<Chunk, BodyError>>()));
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(9));
        assert_eq!(answer(&app, 8, &mut request).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    type Chunk = &'static str;

    #[tokio::test]
    async fn an_error_in_a_response_gets_the_request_id() {
        let app = Answers(|| Ok(Error::new(StatusCode::CONFLICT, "taken").into_response()));
        let mut request = post(Body::empty());
        request.extensions_mut().insert(Context::new("r-7"));
        let response = answer(&app, 8, &mut request).await;
        assert_eq!(response.status(), StatusCode::CONFLICT);
        let body = response.into_body().bytes().await.expect("buffered");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&body["detail"], &body["request_id"]), (&"taken".into(), &"r-7".into()));
    }

    /// The client is at fault, whatever the App says: nothing above the level `debug` is logged for it.
    #[tokio::test]
    async fn a_body_that_breaks_off_is_400_and_one_that_does_not_come_408() {
        struct Fails;
        #[async_trait]
        impl App for Fails {
            async fn start(_host: &Host) -> Result<Self, Error> {
                Ok(Self)
            }
            async fn call(&self, request: Request) -> Result<Response, Error> {
                match request.into_body().bytes().await {
                    Ok(_) => Ok(Response::new(Body::empty())),
                    Err(_) => Err(Error::from_status(StatusCode::INTERNAL_SERVER_ERROR)),
                }
            }
        }
        for (error, status) in [
            (BodyError::broken("cut"), StatusCode::BAD_REQUEST),
            (BodyError::timed_out(), StatusCode::REQUEST_TIMEOUT),
            (BodyError::other("a disk"), StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            let chunks = futures_util::stream::iter([Ok("12345"), Err(error)]);
            assert_eq!(answer(&Fails, 8, &mut post(Body::stream(chunks))).await.status(), status);
        }
    }

    #[tokio::test]
    async fn a_status_that_is_not_final_and_a_panic_are_500() {
        for app in [
            Answers(|| {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                Ok(response)
            }),
            Answers(|| {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::from_u16(600).expect("a number");
                Ok(response)
            }),
            Answers(|| panic!("oh no")),
        ] {
            let response = answer(&app, 8, &mut post(Body::empty())).await;
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
}
