//! One request of HTTP/2 and its response: the same App, the same limits, another way to say it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::SystemTime;

use actix_http::body::{BodySize, MessageBody};
use anyhost_core::{Handler, Response};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, DATE, EXPECT, HeaderValue};
use http::{Method, StatusCode, Version};

use super::active::Active;
use super::incoming::{self, Incoming};
use super::outgoing::Outgoing;
use super::upload::Upload;
use super::{admit, ask, request, response, turned_away};
use crate::connection::Conn;
use crate::shared::{Local, Shared};

/// Why nothing more is sent on a stream: the client does not want it, or is gone.
struct Over;

impl From<h2::Error> for Over {
    fn from(error: h2::Error) -> Self {
        tracing::debug!("a stream ended: {error}");
        Self
    }
}

/// Answers one request. A client that resets its stream cancels it.
pub(crate) async fn serve<A: Handler>(
    local: Rc<Local<A>>,
    conn: Rc<Conn>,
    from: http::Request<RecvStream>,
    mut to: SendResponse<Bytes>,
) {
    let shared = &*local.shared;
    let method = from.method().as_str();
    let mut active = Active::begin_stream(&conn, &local.life, method);
    let head = from.method() == Method::HEAD;
    if continues(&from) {
        // Best effort: a client that is gone is noticed below.
        let mut interim = http::Response::new(());
        *interim.status_mut() = StatusCode::CONTINUE;
        let _ = to.send_informational(interim);
    }
    let answered = {
        let mut answering = pin!(answer(&local, &conn, from, &mut active));
        poll_fn(|cx| match to.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => answering.as_mut().poll(cx).map(Some),
        })
        .await
    };
    let Some((response, upload)) = answered else { return };
    active.has_status(response.status().as_u16());
    if shared.draining() {
        conn.close_once();
    }
    // What went wrong was said where it was seen; the stream is reset.
    let _ = send(shared, response, head, upload, active, to).await;
}

/// Whether the client waits to be told that its body is wanted.
fn continues(request: &http::Request<RecvStream>) -> bool {
    let expects = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    !request.body().is_end_stream() && request.headers().get(EXPECT).is_some_and(expects)
}

async fn answer<A: Handler>(
    local: &Local<A>,
    conn: &Conn,
    from: http::Request<RecvStream>,
    active: &mut Active,
) -> (Response, Option<Upload>) {
    let shared = &*local.shared;
    if let Some(probe) = shared.config.probes.of(from.uri().path()) {
        active.is_probe();
        return (probe.answer(shared).await, None);
    }
    if let Err(error) = admit(shared, conn) {
        return (turned_away(error), None);
    }
    let (parts, body) = from.into_parts();
    let request = match request::translate_http2(parts, conn, &local.life, &shared.config.trust) {
        Ok(request) => request,
        Err(error) => return (turned_away(error), None),
    };
    active.asks();
    if body.is_end_stream() {
        return ask(shared, request, None).await;
    }
    match incoming::with_body(request, Incoming::Http2(body), &shared.config).await {
        Ok((request, upload)) => ask(shared, request, upload).await,
        Err(error) => (turned_away(error), None),
    }
}

/// Sends a response that core has settled.
async fn send<A>(
    shared: &Shared<A>,
    response: Response,
    head: bool,
    upload: Option<Upload>,
    active: Active,
    mut to: SendResponse<Bytes>,
) -> Result<(), Over> {
    let (mut parts, body) = response.into_parts();
    let mut body = pin!(response::outgoing(&parts, body, head, upload, active));
    parts.version = Version::HTTP_2;
    parts.headers.remove(CONTENT_LENGTH);
    if let BodySize::Sized(length) = body.size() {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    parts.headers.entry(DATE).or_insert_with(|| {
        let now = httpdate::fmt_http_date(SystemTime::now());
        HeaderValue::try_from(now).expect("a date is letters, digits and spaces")
    });
    let ends = body.ended();
    let mut stream = to.send_response(http::Response::from_parts(parts, ()), ends)?;
    if ends {
        return Ok(());
    }
    loop {
        match next(&mut stream, body.as_mut()).await? {
            Some(Ok(bytes)) => {
                let ends = body.ended();
                if let Err(over) = send_bytes(shared, &mut stream, bytes, ends).await {
                    stream.send_reset(Reason::CANCEL);
                    return Err(over);
                }
                if ends {
                    return Ok(());
                }
            }
            Some(Err(_)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Err(Over);
            }
            None => {
                return match body.take_trailers() {
                    Some(trailers) => Ok(stream.send_trailers(trailers)?),
                    None => Ok(stream.send_data(Bytes::new(), true)?),
                };
            }
        }
    }
}

/// The next bytes of a response, unless the client wants no more of them.
async fn next(
    stream: &mut SendStream<Bytes>,
    mut body: Pin<&mut Outgoing>,
) -> Result<Option<Result<Bytes, anyhost_core::BodyError>>, Over> {
    poll_fn(|cx| match stream.poll_reset(cx) {
        Poll::Ready(_) => Poll::Ready(Err(Over)),
        Poll::Pending => body.as_mut().poll_next(cx).map(Ok),
    })
    .await
}

/// Sends bytes as fast as the client takes them.
async fn send_bytes<A>(
    shared: &Shared<A>,
    stream: &mut SendStream<Bytes>,
    mut bytes: Bytes,
    ends: bool,
) -> Result<(), Over> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        if stream.capacity() == 0 {
            let room = poll_fn(|cx| stream.poll_capacity(cx));
            match tokio::time::timeout(shared.config.send_timeout, room).await {
                Ok(Some(room)) => room?,
                Ok(None) => return Err(Over),
                Err(_) => {
                    tracing::debug!("a stream ended: the client takes nothing of its response");
                    return Err(Over);
                }
            };
        }
        let piece = bytes.split_to(stream.capacity().min(bytes.len()));
        if !piece.is_empty() {
            stream.send_data(piece, ends && bytes.is_empty())?;
        }
    }
    Ok(())
}
