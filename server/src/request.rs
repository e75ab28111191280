//! From hyper's request to the App's, and from the App's response to hyper's.

mod active;
mod incoming;
mod outgoing;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhost_core::adapter::{Arrival, Caller, Handler, Refusal, answer, refuse};
use anyhost_core::{Context, Error, Request, Response};
use http::header::{CONNECTION, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::service::{Service, service_fn};
use hyper::upgrade::OnUpgrade;

use crate::connection::{Connection, keep_with_upgrade};
use crate::shared::Shared;
use active::Active;
use incoming::{Unread, with_timing};
use outgoing::ResponseBody;

/// What a client that came too early or with too many others is told to wait.
const COME_BACK: Duration = Duration::from_secs(1);

/// Returns what answers the requests of one connection.
pub(crate) fn requests<A: Handler>(
    shared: &Arc<Shared<A>>,
    connection: &Arc<Connection>,
) -> impl Service<
    http::Request<Incoming>,
    Response = http::Response<ResponseBody>,
    Error = Infallible,
    Future: Send + 'static,
> + 'static {
    let (shared, connection) = (Arc::clone(shared), Arc::clone(connection));
    service_fn(move |request: http::Request<Incoming>| {
        let http2 = request.version() == Version::HTTP_2;
        let active = Active::begin(&connection, http2, request.method());
        let (parts, body) = request.into_parts();
        serve(Arc::clone(&shared), parts, body, active)
    })
}

/// Answers one request.
async fn serve<A: Handler>(
    shared: Arc<Shared<A>>,
    mut parts: Parts,
    body: Incoming,
    mut active: Active,
) -> Result<http::Response<ResponseBody>, Infallible> {
    let http2 = parts.version == Version::HTTP_2;
    let mut unread = Unread::default();
    let mut last = shared.draining();
    let mut upgrades = false;
    let response = match admit(&shared, active.connection(), &mut parts) {
        Err(refusal) => {
            unread.keep(&parts.headers, body);
            last |= !http2;
            refusal.into_response()
        }
        Ok(may_upgrade) => match shared.config.probes.of(parts.uri.path()) {
            Some(probe) => {
                active.is_probe();
                unread.keep(&parts.headers, body);
                probe.answer(&shared).await
            }
            None => {
                upgrades = may_upgrade;
                ask(&shared, parts, body, &mut unread, &mut active).await
            }
        },
    };
    let upgraded = upgrades
        && match http2 {
            true => response.status().is_success(),
            false => response.status() == StatusCode::SWITCHING_PROTOCOLS,
        };
    if !http2 && !upgraded {
        // Bytes behind a refused WebSocket handshake may be frames, and bytes behind an unread body may be its rest: they
        // must not be parsed as a request.
        last |= upgrades || !unread.read_to_the_end().await;
    }
    // The drain may have begun meanwhile.
    last |= shared.draining();
    Ok(respond(response, active, http2, upgraded, last))
}

/// Makes a request one for the App; returns whether it may become a WebSocket.
fn admit<A>(
    shared: &Shared<A>,
    connection: &Connection,
    parts: &mut Parts,
) -> Result<bool, Box<Refusal>> {
    let (peer, trust) = (connection.peer(), &shared.config.trust);
    let seen = Caller { address: peer, scheme: connection.scheme(), host: None };
    let caller = trust.read(seen, &parts.headers);
    let context = match trust.request_id(peer, &parts.headers) {
        Some(id) => Context::new(id),
        None => Context::fresh(),
    };
    let context = context.with_life(connection.life().clone());
    let mut arrival = Arrival::new(context, caller).with_upgrades();
    if parts.version == Version::HTTP_2 {
        if parts
            .extensions
            .get::<Protocol>()
            .is_some_and(|protocol| protocol.as_str() == "websocket")
        {
            arrival = arrival.with_extended_connect();
        }
    } else {
        arrival = arrival.for_whole_server(connection.whole_server());
    }
    arrival.admit(parts)?;
    let upgrades = context_of(parts).is_some_and(Context::upgrades);
    if !upgrades {
        // An App that waited for it would wait for ever: no other protocol is taken up.
        parts.extensions.remove::<OnUpgrade>();
    }
    Ok(upgrades)
}

fn context_of(parts: &Parts) -> Option<&Context> {
    parts.extensions.get()
}

/// Asks the App, if it can be asked now.
async fn ask<A: Handler>(
    shared: &Shared<A>,
    mut parts: Parts,
    body: Incoming,
    unread: &mut Unread,
    active: &mut Active,
) -> Response {
    if parts.version == Version::HTTP_2 {
        active.wait_for_turn().await;
    }
    let app = match app(shared, active) {
        Ok(app) => app,
        Err(error) => {
            unread.keep(&parts.headers, body);
            return turned_away(&parts, error);
        }
    };
    let routed = active.asks(&mut parts, shared.traces.is_some());
    let body = match with_timing(&parts.headers, body, &shared.config, unread).await {
        Ok(body) => body,
        Err(error) => return turned_away(&parts, error),
    };
    let mut request = Request::from_parts(parts, body);
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
    let named = (timeout.is_some() || logged).then(|| Named::of(&request));

    let answer = answer(app, shared.host.max_body(), request);
    let response = match timeout {
        None => answer.await,
        Some(timeout) => match Box::pin(tokio::time::timeout(timeout, answer)).await {
            Ok(response) => response,
            Err(_) => named.as_ref().map_or_else(Response::default, Named::took_too_long),
        },
    };
    if let Some(span) = span {
        span.answered(response.status(), routed.as_ref().and_then(Context::route));
    }
    if let Some(named) = named.filter(|_| logged) {
        named.log(response.status(), access);
    }
    response
}

/// The App, if it can be asked now.
fn app<'a, A>(shared: &'a Shared<A>, active: &Active) -> Result<&'a A, Error> {
    let unavailable = |why| Error::new(StatusCode::SERVICE_UNAVAILABLE, why).retry_after(COME_BACK);
    let app = shared.app().ok_or_else(|| unavailable("the service is starting"))?;
    if shared.limit.exceeded(|| shared.host.life().in_flight()) {
        if let Some(counts) = active.connection().counts() {
            counts.shed();
        }
        return Err(unavailable("too many requests at once"));
    }
    Ok(app)
}

/// Returns the refusal of a request before the App is called, with the request's own id and trace.
fn turned_away(parts: &Parts, error: Error) -> Response {
    match context_of(parts) {
        Some(context) => refuse(&parts.method, context, error),
        None => refuse(&parts.method, &Context::fresh(), error),
    }
}

/// The response as hyper sends it; `last` says that the connection ends with it.
fn respond(
    response: Response,
    mut active: Active,
    http2: bool,
    upgraded: bool,
    last: bool,
) -> http::Response<ResponseBody> {
    active.has_status(response.status());
    let (mut parts, body) = response.into_parts();
    match (http2, upgraded) {
        (true, true) => {
            // The stream goes on as a WebSocket, and is work until it ends.
            active.has_untaken(0);
            keep_with_upgrade(active);
            return http::Response::from_parts(parts, ResponseBody::empty());
        }
        (false, true) => active.connection().upgrade(),
        (true, false) if last => active.connection().close(),
        (false, false) if last => {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        (_, false) => {}
    }
    http::Response::from_parts(parts, ResponseBody::new(body, active, http2))
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

    fn took_too_long(&self) -> Response {
        let error = Error::new(StatusCode::GATEWAY_TIMEOUT, "the request took too long");
        refuse(&self.method, &self.context, error)
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
