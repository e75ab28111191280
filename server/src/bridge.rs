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
use actix_http::body::{BodySize, MessageBody};
use anyhost_core::{App, Context, Error, Request, Response, answer, refuse};
use http::{Method, StatusCode};

pub(crate) use outgoing::Outgoing;

use crate::connection::Conn;
use crate::health;
use crate::shared::{Local, Shared};
use outgoing::Active;
use request::Incoming;
use upload::Upload;

/// What a client that came too early or with too many others is told to wait.
const COME_BACK: Duration = Duration::from_secs(1);

/// Answers one request of a connection.
pub(crate) async fn serve<A: App>(
    local: Rc<Local<A>>,
    conn: Rc<Conn>,
    mut from: actix_http::Request,
) -> Result<actix_http::Response<Outgoing>, Infallible> {
    let shared = &*local.shared;
    let active = Active::begin(&conn, shared.host.life());
    let sending = Sending {
        head: from.method() == actix_http::Method::HEAD,
        old: from.version() == actix_http::Version::HTTP_10,
        active,
    };
    if let Some(response) = health::probe(shared, from.path()).await {
        return Ok(sending.send(shared, response, None, false));
    }
    let app = match admit(shared) {
        Ok(app) => app,
        Err(error) => return Ok(sending.send(shared, turned_away(error), None, false)),
    };
    match request::translate(&mut from, &conn, &shared.config).await {
        Ok(Incoming { request, upload }) => {
            let (response, upload) = run(shared, app, request, upload).await;
            Ok(sending.send(shared, response, upload, false))
        }
        Err(error) => Ok(sending.send(shared, turned_away(error), None, true)),
    }
}

/// The App, or why it cannot be asked now.
fn admit<A>(shared: &Shared<A>) -> Result<&A, Error> {
    let unavailable = |why| Error::new(StatusCode::SERVICE_UNAVAILABLE, why).retry_after(COME_BACK);
    let app = shared.app().ok_or_else(|| unavailable("the service is starting"))?;
    match shared.config.max_in_flight {
        Some(most) if shared.host.life().in_flight() > most => {
            Err(unavailable("too many requests at once"))
        }
        _ => Ok(app),
    }
}

/// The answer to a request that never became one for the App.
fn turned_away(error: Error) -> Response {
    refuse(&Method::GET, &Context::new(Context::fresh_id()), error)
}

/// Asks the App, and moves the request's body along while it works.
async fn run<A: App>(
    shared: &Shared<A>,
    app: &A,
    mut request: Request,
    mut upload: Option<Upload>,
) -> (Response, Option<Upload>) {
    let timeout = shared.config.request_timeout;
    if let Some(timeout) = timeout
        && let Some(context) = request.extensions_mut().remove::<Context>()
    {
        // The deadline is known to whatever waits inside the App; the timer below is for what does not ask.
        let deadline = Instant::now() + timeout;
        request.extensions_mut().insert(context.with_deadline(deadline));
    }
    // Only a request that may be refused later, or logged, needs its name twice.
    let logged = tracing::enabled!(tracing::Level::DEBUG);
    let named = (timeout.is_some() || upload.is_some() || logged).then(|| Named::of(&request));

    let mut response = {
        let mut answer = pin!(answer(app, shared.host.max_body(), request));
        let answered = poll_fn(|cx| {
            // The body moves first: an App that waits for it finds it there.
            if let Some(upload) = &mut upload {
                upload.poll(cx);
            }
            answer.as_mut().poll(cx)
        });
        match timeout {
            None => Ok(answered.await),
            Some(timeout) => tokio::time::timeout(timeout, answered)
                .await
                .map_err(|_| Error::new(StatusCode::GATEWAY_TIMEOUT, "the request took too long")),
        }
    };
    if upload.as_ref().is_some_and(Upload::timed_out) {
        response = Err(Error::new(StatusCode::REQUEST_TIMEOUT, "the request body stopped coming"));
    }
    let response = match (response, &named) {
        (Ok(response), _) => response,
        (Err(error), Some(named)) => refuse(&named.method, &named.context, error),
        (Err(error), None) => turned_away(error),
    };
    if let Some(named) = named.filter(|_| logged) {
        named.log(response.status());
    }
    (response, upload.filter(|upload| !upload.done()))
}

/// A request by its name, for what is said about it after it was given away.
struct Named {
    method: Method,
    path: String,
    context: Context,
    begun: Instant,
}

impl Named {
    fn of(request: &Request) -> Self {
        let context = Context::of(request).cloned();
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            context: context.unwrap_or_else(|| Context::new(Context::fresh_id())),
            begun: Instant::now(),
        }
    }

    fn log(&self, status: StatusCode) {
        tracing::debug!(
            request_id = self.context.request_id(),
            method = %self.method,
            path = self.path,
            status = status.as_u16(),
            seconds = self.begun.elapsed().as_secs_f64(),
            "answered"
        );
    }
}

/// What must be known of a request to send its response.
struct Sending {
    head: bool,
    old: bool,
    active: Active,
}

impl Sending {
    fn send<A>(
        self,
        shared: &Shared<A>,
        response: Response,
        upload: Option<Upload>,
        last: bool,
    ) -> actix_http::Response<Outgoing> {
        let Self { head, old, active } = self;
        let mut response = response::translate(response, head, upload, active);
        let mut close = last || shared.draining();
        if old {
            // A client of HTTP/1.0 knows no chunks: the end of the connection ends the body.
            response.head_mut().no_chunking(true);
            close |= matches!(response.body().size(), BodySize::Stream);
        }
        if close {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        response
    }
}
