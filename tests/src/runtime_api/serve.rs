//! The HTTP side of the Runtime API.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::state::{Acceptance, State};
use super::{Answer, Endpoint, Failure, Fault, Response};

/// The largest answer that AWS accepts: 6 MiB and 100 bytes.
const MAX_ANSWER: usize = 6 * 1024 * 1024 + 100;

type Reply = http::Response<UnsyncBoxBody<Bytes, Broken>>;

/// The connection is closed instead of an answer.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the test broke this connection")
    }
}

impl std::error::Error for Broken {}

/// Serves until told to stop.
pub(super) fn serve(
    listener: std::net::TcpListener,
    state: Arc<State>,
    stopped: tokio::sync::oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a listener can be non-blocking");
        let listener =
            tokio::net::TcpListener::from_std(listener).expect("a runtime takes a listener");
        let accept = async {
            loop {
                let Ok((connection, _)) = listener.accept().await else { continue };
                state.connected();
                // Small answers one after the other: waiting for more to send would only delay them.
                let _ = connection.set_nodelay(true);
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(|request| {
                        let state = Arc::clone(&state);
                        async move { reply(&state, request).await }
                    });
                    // A client that disconnects and a planned fault are not errors here.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(connection), service)
                        .await;
                });
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stopped => {}
        }
    });
}

async fn reply(state: &State, request: Request<Incoming>) -> Result<Reply, Broken> {
    let path = request.uri().path();
    // A prefix before the version is ignored: it belongs to the URL of the API.
    let runtime = path.split_once("/2018-06-01/runtime").map(|(_, rest)| rest);
    let extension = path.split_once("/2020-01-01/extension").map(|(_, rest)| rest);
    let invocation = runtime.and_then(|rest| rest.strip_prefix("/invocation/"));
    let (id, endpoint) = match (request.method(), runtime, extension) {
        (&Method::GET, Some("/invocation/next"), _) => ("", Endpoint::Next),
        (&Method::POST, Some("/init/error"), _) => ("", Endpoint::InitError),
        (&Method::POST, _, Some("/register")) => ("", Endpoint::Register),
        (&Method::GET, _, Some("/event/next")) => ("", Endpoint::ExtensionNext),
        (&Method::POST, _, _) => match invocation.and_then(|rest| rest.split_once('/')) {
            Some((id, "response")) => (id, Endpoint::Response),
            Some((id, "error")) => (id, Endpoint::Error),
            _ => return Ok(status(StatusCode::NOT_FOUND)),
        },
        _ => return Ok(status(StatusCode::NOT_FOUND)),
    };
    let id = id.to_owned();
    let fault = state.requested(endpoint);
    match fault {
        Some(Fault::Status(code)) => {
            return Ok(status(StatusCode::from_u16(code).expect("a fault has a valid status")));
        }
        Some(Fault::Drop) => return Err(Broken),
        Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
        _ => {}
    }
    let after = matches!(fault, Some(Fault::DropAfter));
    let reply = match endpoint {
        Endpoint::Next => next(state, fault.as_ref()).await,
        Endpoint::Response => respond(state, &id, request).await,
        Endpoint::Error => {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
            accept(state, &id, Answer::Error(Failure::read(&parts.headers, &body)))
        }
        Endpoint::InitError => {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
            match state.fail_init(Failure::read(&parts.headers, &body)) {
                true => status(StatusCode::ACCEPTED),
                false => status(StatusCode::FORBIDDEN),
            }
        }
        Endpoint::Register => register(state, request.headers()),
        Endpoint::ExtensionNext => std::future::pending().await,
    };
    if after { Err(Broken) } else { Ok(reply) }
}

async fn next(state: &State, fault: Option<&Fault>) -> Reply {
    let event = state.next().await;
    let timeout = state.timeout();
    let (id, body, answer) = event.into_parts();
    state.run(id.clone(), answer);
    let deadline = match timeout {
        Some(timeout) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            (now.expect("today is after 1970") + timeout).as_millis().to_string()
        }
        None => "600000".into(),
    };
    let mut reply = http::Response::new(());
    let headers = reply.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).expect("an event's headers are plain");
        headers.insert(HeaderName::from_static(name), value);
    };
    set("content-type", "application/json");
    set("lambda-runtime-aws-request-id", &id);
    set("lambda-runtime-deadline-ms", &deadline);
    set(
        "lambda-runtime-invoked-function-arn",
        "arn:aws:lambda:eu-central-1:123456789012:function:test",
    );
    set(
        "lambda-runtime-trace-id",
        "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
    );
    match fault {
        Some(Fault::Without(name)) => {
            headers.remove(*name);
        }
        Some(Fault::Header(name, value)) => {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        _ => {}
    }
    if matches!(fault, Some(Fault::Truncate)) {
        headers.insert("content-length", HeaderValue::from(body.len()));
        let half = body.slice(..body.len() / 2);
        let pieces = stream::iter([Ok(Frame::data(half)), Err(Broken)]);
        return reply.map(|()| StreamBody::new(pieces).boxed_unsync());
    }
    reply.map(|()| Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync())
}

async fn respond(state: &State, id: &str, request: Request<Incoming>) -> Reply {
    if !state.is_running(id) {
        // Refused before the body is read: a late client need not send megabytes in vain.
        return accept(state, id, Answer::Error(Failure::read(&HeaderMap::new(), b"")));
    }
    let (parts, mut incoming) = request.into_parts();
    let streaming = parts.headers.contains_key("lambda-runtime-function-response-mode");
    let (mut body, mut trailers) = (BytesMut::new(), None);
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else { return status(StatusCode::BAD_REQUEST) };
        match frame.into_data() {
            Ok(data) => {
                state.arrived(&data, body.is_empty());
                body.extend_from_slice(&data);
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    if !streaming && body.len() > MAX_ANSWER {
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let response = Response { headers: parts.headers, body: body.freeze(), trailers };
    accept(state, id, Answer::Response(response))
}

fn accept(state: &State, id: &str, answer: Answer) -> Reply {
    match state.answer(id, answer) {
        Acceptance::Yes => status(StatusCode::ACCEPTED),
        Acceptance::Twice => status(StatusCode::FORBIDDEN),
        Acceptance::Unknown => status(StatusCode::BAD_REQUEST),
    }
}

fn register(state: &State, headers: &HeaderMap) -> Reply {
    let name = headers.get("lambda-extension-name").map(|name| name.as_bytes().to_vec());
    let name = String::from_utf8(name.unwrap_or_default()).unwrap_or_default();
    if name.is_empty() || state.requests(Endpoint::Next) > 0 {
        return status(StatusCode::FORBIDDEN);
    }
    let number = state.register(name);
    let mut reply = status(StatusCode::OK);
    let identifier = format!("00000000-0000-4000-8000-{number:012}");
    let identifier = HeaderValue::from_str(&identifier).expect("digits are a header value");
    reply.headers_mut().insert("lambda-extension-identifier", identifier);
    reply
}

fn status(status: StatusCode) -> Reply {
    let body = if status.is_success() { "{\"status\":\"OK\"}" } else { "{\"errorType\":\"Test\"}" };
    let body = Full::new(Bytes::from_static(body.as_bytes()));
    let mut reply =
        http::Response::new(body.map_err(|never: Infallible| match never {}).boxed_unsync());
    *reply.status_mut() = status;
    reply
}
