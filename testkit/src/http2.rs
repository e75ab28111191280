//! HTTP/2 as a client speaks it: one request on a connection, by frames.

use std::io;
use std::time::Instant;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client};
use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Ending, Facts, Request, Response};

/// The head of a request as HTTP/2 has it: the host is its authority.
fn head(request: &Request, facts: Facts) -> Result<http::Request<()>, String> {
    let host = request.first("host").unwrap_or(facts.host.as_bytes());
    let host = String::from_utf8_lossy(host);
    let uri = format!("{}://{host}{}", facts.scheme, request.target);
    let mut head = http::Request::builder().method(request.method.as_str()).uri(uri);
    for (name, value) in
        request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
    {
        head = head.header(name, value.as_slice());
    }
    if request.says_its_length() && request.first("content-length").is_none() {
        head = head.header("content-length", request.body.len());
    }
    head.body(()).map_err(|error| format!("no request of HTTP/2: {error}"))
}

/// Sends a request on a new connection; `facts` holds the scheme and the host.
///
/// # Errors
/// What was wrong with the request, the connection or the response.
pub async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &Request,
    facts: Facts,
) -> io::Result<Response> {
    let head = head(request, facts).map_err(io::Error::other)?;
    let (mut sender, connection) = client::handshake(stream).await.map_err(io::Error::other)?;
    let exchange = async {
        futures_util::future::poll_fn(|cx| sender.poll_ready(cx)).await?;
        let empty = request.body.is_empty();
        let (response, body) = sender.send_request(head, empty)?;
        let answered = async {
            let (parts, body) = response.await?.into_parts();
            read(parts, body).await
        };
        tokio::pin!(answered);
        // Written concurrently with reading: a server may answer before it has read everything.
        let sent = write(body, if empty { Bytes::new() } else { request.body.clone().into() });
        tokio::select! {
            response = &mut answered => response,
            () = sent => answered.await,
        }
    };
    tokio::pin!(exchange);
    tokio::pin!(connection);
    tokio::select! {
        biased;
        response = &mut exchange => response,
        ended = &mut connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(error),
        },
    }
    .map_err(io::Error::other)
}

/// Sends a body as fast as it is taken, or as much as is wanted of it.
async fn write(mut stream: SendStream<Bytes>, mut body: Bytes) {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let room = futures_util::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let Some(Ok(room)) = room else { return };
        let piece = body.split_to(room.min(body.len()));
        if stream.send_data(piece, body.is_empty()).is_err() {
            return;
        }
    }
}

async fn read(parts: http::response::Parts, mut body: RecvStream) -> Result<Response, h2::Error> {
    let mut response = Response::new(parts.status.as_u16());
    response.headers = pairs(&parts.headers);
    let mut came: Option<(Instant, Instant)> = None;
    while let Some(chunk) = body.data().await {
        match chunk {
            Ok(chunk) => {
                let now = Instant::now();
                came = Some((came.map_or(now, |(first, _)| first), now));
                response.body.extend_from_slice(&chunk);
                body.flow_control().release_capacity(chunk.len())?;
            }
            // The response is complete, and the server does not want the rest of the request (RFC 9113 §8.1).
            Err(error) if error.reason() == Some(Reason::NO_ERROR) => break,
            Err(_) => {
                response.ending = Ending::BrokenOff;
                return Ok(response);
            }
        }
    }
    if let Some((first, last)) = came {
        response.spread = last - first;
    }
    if let Ok(Some(trailers)) = body.trailers().await {
        response.trailers = pairs(&trailers);
    }
    Ok(response)
}

fn pairs(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let pairs = headers.iter();
    pairs.map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec())).collect()
}
