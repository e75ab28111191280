//! From actix's request to the App's and from the App's response to actix's: the only place that knows both.

mod outgoing;
mod request;
mod response;
mod upload;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_http::ConnectionType;
use anyhost_core::{App, Context, Error, Response, answer};
use http::{Method, StatusCode};

pub(crate) use outgoing::Outgoing;

use crate::connection::Conn;
use crate::health;
use crate::shared::{Local, Shared};
use outgoing::Active;
use request::{Incoming, Refused};
use upload::Upload;

/// Answers one request of a connection.
pub(crate) async fn serve<A: App>(
    local: Rc<Local<A>>,
    conn: Rc<Conn>,
    mut request: actix_http::Request,
) -> Result<actix_http::Response<Outgoing>, Infallible> {
    let shared = &*local.shared;
    let active = Active::begin(&conn, shared.host.life());
    let version = request.version();
    if let Some(response) = health::probe(shared, request.path()).await {
        let head = request.method() == actix_http::Method::HEAD;
        return Ok(finish(shared, version, response, head, None, active));
    }
    match request::translate(&mut request, &conn, &shared.config).await {
        Ok(Incoming { request, upload }) => {
            let head = request.method() == Method::HEAD;
            let (response, upload) = run(shared, request, upload).await;
            Ok(finish(shared, version, response, head, upload, active))
        }
        Err(Refused { status, why }) => {
            let response = Error::new(status, why).into_response();
            let mut response = finish(shared, version, response, false, None, active);
            response.head_mut().set_connection_type(ConnectionType::Close);
            Ok(response)
        }
    }
}

fn finish<A>(
    shared: &Shared<A>,
    version: actix_http::Version,
    response: Response,
    head: bool,
    upload: Option<Upload>,
    active: Active,
) -> actix_http::Response<Outgoing> {
    let mut response = response::translate(response, head, upload, active);
    if version == actix_http::Version::HTTP_10 {
        // A client of 1.0 knows no chunks: the end of the connection ends the body.
        response.head_mut().no_chunking(true);
        if actix_http::body::MessageBody::size(response.body())
            == actix_http::body::BodySize::Stream
        {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
    }
    if shared.draining() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}

/// The App's response, or the server's own where the App cannot be asked.
async fn run<A: App>(
    shared: &Shared<A>,
    mut request: anyhost_core::Request,
    mut upload: Option<Upload>,
) -> (Response, Option<Upload>) {
    let Some(app) = shared.app() else {
        return (unavailable("the service is starting", Duration::from_secs(1)), None);
    };
    if shared.config.max_in_flight.is_some_and(|most| shared.host.life().in_flight() > most) {
        return (unavailable("too many requests at once", Duration::from_secs(1)), None);
    }
    let timeout = shared.config.request_timeout;
    if let Some(timeout) = timeout {
        // The deadline is known to whatever waits inside the App; the timer below is for what does not ask.
        let deadline = Instant::now() + timeout;
        if let Some(context) = request.extensions_mut().remove::<Context>() {
            request.extensions_mut().insert(context.with_deadline(deadline));
        }
    }
    let max_body = shared.host.max_body();
    let response = {
        let mut answer = pin!(answer(app, max_body, request));
        let answered = poll_fn(|cx| {
            // The body moves first: an App that waits for it finds it there.
            if let Some(upload) = &mut upload {
                upload.poll(cx);
            }
            answer.as_mut().poll(cx)
        });
        match timeout {
            None => answered.await,
            Some(timeout) => match tokio::time::timeout(timeout, answered).await {
                Ok(response) => response,
                Err(_) => Error::new(StatusCode::GATEWAY_TIMEOUT, "the request took too long")
                    .into_response(),
            },
        }
    };
    if upload.as_ref().is_some_and(Upload::timed_out) {
        let error = Error::new(StatusCode::REQUEST_TIMEOUT, "the request body stopped coming");
        return (error.into_response(), None);
    }
    (response, upload.filter(|upload| !upload.done()))
}

fn unavailable(why: &'static str, wait: Duration) -> Response {
    Error::new(StatusCode::SERVICE_UNAVAILABLE, why).retry_after(wait).into_response()
}
