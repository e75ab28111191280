//! Converts events into requests, according to the source of each event.
//!
//! A source is one file here and one variant of [`Source`]: it reads the fields that only it has, and returns the
//! [`Shape`] of its answers.

mod alb;
mod body;
mod forwarded;
mod headers;
mod http;
mod json;
mod lattice;
mod rest;
mod target;

use std::fmt;
use std::net::IpAddr;

use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, Method, StatusCode, Uri};
use anyhost_core::adapter::{Arrival, Caller};
use anyhost_core::{Body, Context, Error, Request, Scheme};
use bytes::Bytes;

use crate::answers::Shape;
use json::Event;

/// The kind of service that made an event; services with the same event format are one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// API Gateway: a REST API, or an HTTP API with payload format 1.0.
    Rest,
    /// API Gateway's HTTP API with payload format 2.0, or a Function URL.
    Http,
    /// An Application Load Balancer.
    Alb,
    /// VPC Lattice with event structure 2.0.
    Lattice,
}

/// The request of an event, and the form of its answer.
#[derive(Debug)]
pub(crate) struct EventRequest {
    pub(crate) shape: &'static Shape,
    pub(crate) method: Method,
    pub(crate) context: Context,
    /// The request, or the 4xx for the client if the event cannot be one.
    pub(crate) request: Result<Request, Error>,
}

/// Why an event is not an HTTP request. The invocation fails with it: an answer that looks like success would
/// delete a message or let a caller in.
#[derive(Debug)]
pub(crate) enum NoRequest {
    /// The event is not valid JSON.
    Broken(serde_json::Error),
    /// The event is of another kind.
    Foreign,
    /// The event is an HTTP event that lacks a part of a request.
    Incomplete(&'static str),
}

/// The headers that are trusted although a client can send them too, because the operator states that the proxy in
/// front of the function sets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrustedHeaders {
    /// `X-Forwarded-Host`: the name that the client used, if a CDN asks the function by another.
    pub(crate) forwarded_host: bool,
}

/// The parts of a request as one source gives them.
struct SourceRequest<'e> {
    shape: &'static Shape,
    method: &'e str,
    target: String,
    mount: &'e str,
    headers: HeaderMap,
    client_ip: Option<IpAddr>,
    scheme: Scheme,
    /// The host name of the gateway, used if there is no `Host` header.
    domain: Option<&'e str>,
}

/// Reads an event.
///
/// # Errors
/// [`NoRequest`], which fails the invocation.
pub(crate) fn translate(
    event: &Bytes,
    context: Context,
    trust: TrustedHeaders,
) -> Result<EventRequest, NoRequest> {
    let mut read = Event::read(event).map_err(NoRequest::Broken)?;
    let body = body::read(read.body.0.take(), read.is_base64.0, event);
    let source_request = match Source::from_event(&read).ok_or(NoRequest::Foreign)? {
        Source::Rest => rest::read(&read, event),
        Source::Http => http::read(&read, event),
        Source::Alb => alb::read(&read, event),
        Source::Lattice => lattice::read(&read, event),
    };
    let SourceRequest { shape, method, target, mount, mut headers, client_ip, scheme, domain } =
        source_request;
    if method.is_empty() {
        return Err(NoRequest::Incomplete("it names no method"));
    }
    let (method, valid) = match method.parse::<Method>() {
        Ok(method) => (method, Ok(())),
        Err(error) => {
            (Method::GET, Err(refused(StatusCode::BAD_REQUEST, "the method is no method", &error)))
        }
    };
    let context = context.with_mount(mount).with_event(event.clone());
    let forwarded = trust.forwarded_host.then(|| forwarded::host(&headers)).flatten();
    let caller = Caller { address: client_ip, scheme, host: forwarded.map(Box::from) };
    let arrival = Arrival::new(context.clone(), caller).through_gateway(domain.unwrap_or_default());
    let target = PathAndQuery::from_maybe_shared(Bytes::from(target)).map_err(|error| {
        // The bytes are valid by now; only the length can still be refused.
        refused(StatusCode::URI_TOO_LONG, "the target is too long", &error)
    });
    let body = body.map_err(|error| {
        refused(StatusCode::BAD_REQUEST, "the event's body is not base64", &error)
    });
    let mut parts = ::http::Request::new(()).into_parts().0;
    parts.method = method.clone();
    let made = valid.and_then(|()| Ok((target?, body?))).map(|(target, body)| {
        headers::agree_on_length(&mut headers, body.len());
        parts.uri = Uri::from(target);
        body
    });
    parts.headers = headers;
    // A refused event has a client, an id and a trace too.
    let (context, request) = match (arrival.admit(&mut parts), made) {
        (Ok(()), made) => {
            let context = parts.extensions.get().cloned().unwrap_or(context);
            (context, made.map(|body| Request::from_parts(parts, Body::from(body))))
        }
        (Err(refusal), made) => {
            let (_, context, error) = refusal.into_parts();
            (context, made.and(Err(error)))
        }
    };
    Ok(EventRequest { shape, method, context, request })
}

fn refused(status: StatusCode, detail: &'static str, cause: &impl fmt::Display) -> Error {
    Error::new(status, detail).with_source(cause.to_string())
}

impl Source {
    /// The source of an event, by the keys of its `requestContext`.
    fn from_event(event: &Event<'_>) -> Option<Self> {
        let context = &event.context;
        if !event.present || !context.present || context.connection.0 || event.authorizer.0 {
            return None;
        }
        if context.elb.0 {
            Some(Self::Alb)
        } else if context.http.present {
            Some(Self::Http)
        } else if context.service_network.0 {
            Some(Self::Lattice)
        } else if event.method.filled().is_some()
            && (context.identity.present || context.stage.filled().is_some() || event.resource.0)
        {
            Some(Self::Rest)
        } else {
            None
        }
    }
}

impl NoRequest {
    /// The error type that Lambda counts and shows.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Broken(_) => "Runtime.BrokenEvent",
            Self::Foreign => "Runtime.NotAnHttpEvent",
            Self::Incomplete(_) => "Runtime.IncompleteHttpEvent",
        }
    }
}

impl fmt::Display for NoRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => write!(f, "the event is not JSON: {error}"),
            Self::Foreign => f.write_str(
                "the event is no HTTP request of API Gateway, a Function URL, a load balancer or VPC \
                 Lattice; this function answers only those",
            ),
            Self::Incomplete(what) => write!(f, "the HTTP event is incomplete: {what}"),
        }
    }
}

/// Returns a text as bytes, without a copy if the event's buffer contains it.
fn shared(event: &Bytes, text: &str) -> Bytes {
    if !text.is_empty() && event.as_ptr_range().contains(&text.as_ptr()) {
        event.slice_ref(text.as_bytes())
    } else {
        Bytes::copy_from_slice(text.as_bytes())
    }
}

#[cfg(test)]
mod tests;
