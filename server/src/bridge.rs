//! From actix's request to the App's and from the App's response to actix's: the only place that knows both.

mod active;
mod incoming;
mod outgoing;
mod repeat;
mod request;
mod response;
mod stream;
mod upload;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use actix_http::body::{BodySize, MessageBody};
use actix_http::{ConnectionType, Payload, header as old};
use anyhost_core::{Context, Error, Handler, Request, Response, answer, refuse};
use futures_core::future::LocalBoxFuture;
use http::{Method, StatusCode};

pub(crate) use outgoing::Outgoing;
pub(crate) use repeat::Repeat;
pub(crate) use stream::serve as serve_stream;

use crate::connection::Conn;
use crate::shared::{Local, Shared};
use active::Active;
use incoming::Incoming;
use upload::Upload;

/// What a client that came too early or with too many others is told to wait.
const COME_BACK: Duration = Duration::from_secs(1);

/// Answers one request of a connection.
///
/// What can be said at once is; only a request that the App is asked costs a future of its own. (It is
/// boxed: the dispatcher moves futures about, and one that has an App inside is large.)
pub(crate) fn serve<A: Handler>(
    local: Rc<Local<A>>,
    conn: Rc<Conn>,
    mut from: actix_http::Request,
) -> Serving {
    let shared = &*local.shared;
    if conn.refuses() {
        // The client was told that nothing follows: what it sent behind may be somebody else's words.
        return Serving::Asking(Box::pin(std::future::pending()));
    }
    let mut sending = Sending {
        head: from.method() == actix_http::Method::HEAD,
        old: from.version() == actix_http::Version::HTTP_10,
        // actix would accept an offer to go on with another protocol, or end the connection in silence.
        last: from.head().connection_type() == ConnectionType::Upgrade,
        active: Active::begin(&conn, &local.life, from.method().as_str()),
    };
    if let Some(probe) = shared.config.probes.of(from.path()) {
        sending.active.is_probe();
        return Serving::Asking(Box::pin(async move {
            let response = probe.answer(&local.shared).await;
            sending.send(&local.shared, response, None)
        }));
    }
    if let Err(error) = admit(shared, &conn) {
        return Serving::answered(sending.send(shared, turned_away(error), None));
    }
    let request = match request::translate(&from, &conn, &local.life, &shared.config.trust) {
        Ok(request) => request,
        Err(error) => {
            let sending = Sending { last: true, ..sending };
            return Serving::answered(sending.send(shared, turned_away(error), None));
        }
    };
    sending.active.asks();
    Serving::Asking(match from.take_payload() {
        Payload::None => Box::pin(async move {
            let (response, upload) = ask(&local.shared, request, None).await;
            sending.send(&local.shared, response, upload)
        }),
        // actix takes all that follows a request to upgrade for its body. Nothing is upgraded here, which
        // a server is free to do; what follows cannot be told from a body, so nothing follows.
        Payload::H1 { .. } if !is_framed(&from) => Box::pin(async move {
            let (response, upload) = ask(&local.shared, request, None).await;
            Sending { last: true, ..sending }.send(&local.shared, response, upload)
        }),
        payload => Box::pin(async move {
            let body = Incoming::Http1(payload);
            match incoming::with_body(request, body, &local.shared.config).await {
                Ok((request, upload)) => {
                    let (response, upload) = ask(&local.shared, request, upload).await;
                    sending.send(&local.shared, response, upload)
                }
                Err(error) => {
                    let sending = Sending { last: true, ..sending };
                    sending.send(&local.shared, turned_away(error), None)
                }
            }
        }),
    })
}

/// Whether a request says where its body ends.
fn is_framed(request: &actix_http::Request) -> bool {
    let headers = &request.head().headers;
    [old::CONTENT_LENGTH, old::TRANSFER_ENCODING].iter().any(|name| headers.contains_key(name))
}

/// A request on its way to its response.
pub(crate) enum Serving {
    Answered(Option<Box<actix_http::Response<Outgoing>>>),
    Asking(LocalBoxFuture<'static, actix_http::Response<Outgoing>>),
}

impl Serving {
    fn answered(response: actix_http::Response<Outgoing>) -> Self {
        Self::Answered(Some(Box::new(response)))
    }
}

impl Future for Serving {
    type Output = Result<actix_http::Response<Outgoing>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Asking(future) => future.as_mut().poll(cx).map(Ok),
            Self::Answered(response) => {
                Poll::Ready(Ok(*response.take().expect("a future is polled to its end once")))
            }
        }
    }
}

/// Whether the App can be asked now.
fn admit<A>(shared: &Shared<A>, conn: &Conn) -> Result<(), Error> {
    let unavailable = |why| Error::new(StatusCode::SERVICE_UNAVAILABLE, why).retry_after(COME_BACK);
    if shared.app().is_none() {
        return Err(unavailable("the service is starting"));
    }
    if shared.limit.exceeded(|| shared.host.life().in_flight()) {
        if let Some(counts) = conn.counts() {
            counts.shed();
        }
        return Err(unavailable("too many requests at once"));
    }
    Ok(())
}

/// The answer to a request that never became one for the App.
fn turned_away(error: Error) -> Response {
    refuse(&Method::GET, &Context::fresh(), error)
}

/// Asks the App, and moves the request's body along while it works; what is left of it comes back.
async fn ask<A: Handler>(
    shared: &Shared<A>,
    mut request: Request,
    mut upload: Option<Upload>,
) -> (Response, Option<Upload>) {
    let Some(app) = shared.app() else {
        return (turned_away(Error::from_status(StatusCode::SERVICE_UNAVAILABLE)), None);
    };
    let span = shared.traces.as_ref().map(|traces| traces.begin(&mut request));
    let timeout = shared.config.request_timeout;
    if let Some(timeout) = timeout
        && let Some(context) = request.extensions_mut().remove::<Context>()
    {
        // The deadline is known to whatever waits inside the App; the timer below is for what does not ask.
        let deadline = Instant::now() + timeout;
        request.extensions_mut().insert(context.with_deadline(deadline));
    }
    // Only a request that may be refused later, or logged, needs its name twice.
    let access = shared.config.access_log;
    let logged = access || tracing::enabled!(tracing::Level::DEBUG);
    let named = (timeout.is_some() || upload.is_some() || logged).then(|| Named::of(&request));

    let mut answer = pin!(answer(app, shared.host.max_body(), request));
    let answered = poll_fn(|cx| {
        loop {
            // The body moves first: an App that waits for it finds it there. What has come is moved at
            // once, however many pieces it is: actix waits no longer once it has seen a wrong chunk.
            let moved = upload.as_mut().is_some_and(|upload| upload.poll(cx));
            match answer.as_mut().poll(cx) {
                Poll::Pending if moved => {}
                other => return other,
            }
        }
    });
    let mut response = match timeout {
        None => Ok(answered.await),
        Some(timeout) => Box::pin(tokio::time::timeout(timeout, answered))
            .await
            .map_err(|_| Error::new(StatusCode::GATEWAY_TIMEOUT, "the request took too long")),
    };
    if upload.as_ref().is_some_and(Upload::timed_out) {
        response = Err(Error::new(StatusCode::REQUEST_TIMEOUT, "the request body stopped coming"));
    }
    let response = match (response, &named) {
        (Ok(response), _) => response,
        (Err(error), Some(named)) => refuse(&named.method, &named.context, error),
        (Err(error), None) => turned_away(error),
    };
    if let Some(span) = span {
        span.answered(response.status());
    }
    if let Some(named) = named.filter(|_| logged) {
        named.log(response.status(), access);
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
            context: context.unwrap_or_else(Context::fresh),
            begun: Instant::now(),
        }
    }

    fn log(&self, status: StatusCode, access: bool) {
        let Self { method, path, context, begun } = self;
        let (status, seconds) = (status.as_u16(), begun.elapsed().as_secs_f64());
        let client = context.client_ip().map(tracing::field::display);
        context.within_call(|| {
            if access {
                tracing::info!(target: "access", %method, path, status, seconds, client, "answered");
            } else {
                tracing::debug!(%method, path, status, seconds, client, "answered");
            }
        });
    }
}

/// What must be known of a request to send its response.
struct Sending {
    head: bool,
    old: bool,
    /// The connection ends with this request.
    last: bool,
    active: Active,
}

impl Sending {
    fn send<A>(
        self,
        shared: &Shared<A>,
        response: Response,
        upload: Option<Upload>,
    ) -> actix_http::Response<Outgoing> {
        let Self { head, old, last, mut active } = self;
        active.has_status(response.status().as_u16());
        if last {
            active.is_last();
        }
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
