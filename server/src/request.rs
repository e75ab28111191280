//! From hyper's request to the App's, and from the App's response to hyper's.

mod active;
mod incoming;
mod outgoing;

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhost_core::adapter::{Arrival, Caller, Handler, Refusal, answer, refuse};
use anyhost_core::{Body, Context, Error, Request, Response};
use http::header::{CONNECTION, HeaderValue};
use http::request::Parts;
use http::{StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::service::{Service, service_fn};
use hyper::upgrade::OnUpgrade;

use crate::connection::{Client, Connection, Stage};
use crate::shared::Shared;
use active::Active;
use incoming::Unread;
use outgoing::ResponseBody;

/// What a client that came too early or with too many others is told to wait.
const COME_BACK: Duration = Duration::from_secs(1);

/// Returns what answers the requests of one connection.
pub(crate) fn requests<A: Handler, S: Deref<Target = Shared<A>> + Clone + Send>(
    shared: S,
    connection: &Arc<Connection>,
    client: Client,
) -> impl Service<
    http::Request<Incoming>,
    Response = http::Response<ResponseBody>,
    Error = Infallible,
    Future: Send,
> + use<A, S> {
    let connection = Arc::clone(connection);
    service_fn(move |request| {
        let active = Active::begin(&connection, request.method());
        serve(shared.clone(), client, request, active)
    })
}

/// Answers one request. It stays in one place until the App gets it: passed by value, it would be copied into each future on
/// its way.
fn serve<A: Handler, S: Deref<Target = Shared<A>> + Send>(
    shared: S,
    client: Client,
    request: http::Request<Incoming>,
    mut active: Active,
) -> impl Future<Output = Result<http::Response<ResponseBody>, Infallible>> + Send {
    let (mut parts, incoming) = request.into_parts();
    let admitted = admit(&shared, active.connection(), client, &mut parts);
    let mut request = Request::from_parts(parts, Body::empty());
    async move {
        let (http2, http10) =
            (request.version() == Version::HTTP_2, request.version() == Version::HTTP_10);
        let mut unread = Unread::new(request.headers(), incoming);
        let mut last = active.connection().has_reached(Stage::Draining);
        let mut upgrades = false;
        let mut response = 'answered: {
            let may_upgrade = match admitted {
                Ok(may_upgrade) => may_upgrade,
                Err(refusal) => {
                    last |= !http2;
                    break 'answered refusal.into_response();
                }
            };
            if let Some(probe) = shared.config.probes.find(request.uri().path()) {
                active.is_probe();
                break 'answered Box::pin(probe.answer(&shared)).await;
            }
            upgrades = may_upgrade;
            if http2 {
                active.connection().untaken.turn().await;
            }
            let app = match app(&shared, &mut active) {
                Ok(app) => app,
                Err(error) => break 'answered turned_away(&request, error),
            };
            if let Err(error) = unread.lend(&mut request, &shared.config).await {
                break 'answered turned_away(&request, error);
            }
            active.asks(&shared, &mut request);
            let max_body = shared.host.max_body();
            match shared.config.request_timeout {
                None => answer(app, max_body, &mut request).await,
                Some(timeout) => {
                    let answer = answer(app, max_body, &mut request);
                    let mut answer = Box::pin(tokio::time::timeout(timeout, answer));
                    // The App has the body as long as its future lives.
                    let in_time = (&mut answer).await;
                    in_time.unwrap_or_else(|_| active.took_too_long(unread.is_awaited()))
                }
            }
        };
        let upgraded = upgrades
            && match http2 {
                true => response.status().is_success(),
                false => response.status() == StatusCode::SWITCHING_PROTOCOLS,
            };
        if !http2 && !upgraded {
            // Bytes behind a refused WebSocket handshake may be frames, and bytes behind an unread body may be its rest:
            // they must not be parsed as a request.
            last |= upgrades || !unread.read_to_the_end().await;
        }
        // HTTP/1.0 has no chunks: a body of unknown length ends with its connection (RFC 9112 §6.3).
        last |= http10 && response.body().len().is_none();
        // The drain may have begun meanwhile.
        last |= active.connection().has_reached(Stage::Draining);
        if http10 && last {
            // Else hyper adds keep-alive to the close.
            *response.version_mut() = Version::HTTP_10;
        }
        active.has_status(response.status());
        match (http2, upgraded) {
            (false, true) => active.upgrades(),
            (true, false) if last => active.connection().advance(Stage::Closing),
            (false, false) if last => {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        Ok(response.map(|body| match http2 && upgraded {
            true => ResponseBody::of_websocket(active),
            false => ResponseBody::new(body, active, http2),
        }))
    }
}

/// Makes a request one for the App; returns whether it may become a WebSocket.
fn admit<A>(
    shared: &Shared<A>,
    connection: &Connection,
    (peer, scheme): Client,
    parts: &mut Parts,
) -> Result<bool, Box<Refusal>> {
    let trust = &shared.config.trust;
    let seen = Caller { address: peer, scheme, host: None };
    let caller = trust.read(seen, &parts.headers);
    let id = trust.request_id(peer, &parts.headers);
    let context = Context::in_lifecycle(Arc::clone(connection.lifecycle()), id);
    let mut arrival = Arrival::new(context, caller).with_upgrades();
    if parts.version == Version::HTTP_2 {
        let protocol = parts.extensions.get::<Protocol>();
        if protocol.is_some_and(|protocol| protocol.as_str() == "websocket") {
            arrival = arrival.with_extended_connect();
        }
    } else {
        arrival = arrival.for_whole_server(connection.whole_server());
    }
    arrival.admit(parts)?;
    let upgrades = parts.extensions.get().is_some_and(Context::upgrades);
    if !upgrades {
        // An App that waited for it would wait for ever: no other protocol is taken up.
        parts.extensions.remove::<OnUpgrade>();
    }
    Ok(upgrades)
}

/// The App, if it can be asked now; the request then has a place under the limit.
fn app<'a, A>(shared: &'a Shared<A>, active: &mut Active) -> Result<&'a A, Error> {
    let unavailable = |why| Error::new(StatusCode::SERVICE_UNAVAILABLE, why).retry_after(COME_BACK);
    let app = shared.app().ok_or_else(|| unavailable("the service is starting"))?;
    active.permit = shared.limit.try_acquire();
    if active.permit.is_none() {
        if let Some(counts) = active.connection().counts() {
            counts.shed.fetch_add(1, Ordering::Relaxed);
        }
        return Err(unavailable("too many requests at once"));
    }
    Ok(app)
}

/// Returns the refusal of a request before the App is called, with the request's own id and trace.
fn turned_away(request: &Request, error: Error) -> Response {
    let context = Context::get(request).cloned().unwrap_or_else(Context::fresh);
    refuse(request.method(), &context, error)
}
