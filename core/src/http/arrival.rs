//! The assembly of an App's request, the same for every door.

mod request_headers;

use std::net::IpAddr;

use http::header::{CONNECTION, COOKIE, HOST, HeaderMap, HeaderValue, UPGRADE};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Method, StatusCode, Uri, Version};

use super::wire::{asks_for_websocket, is_host, strip_hop_by_hop, takes_trailers};
use crate::{Context, Error, Response, Scheme, refuse};
use request_headers::{RequestHeaders, SentHost};

/// The most header lines of one request; beyond it 431.
const MOST_HEADERS: usize = 100;

/// The client as its connection shows it, or as a trusted proxy names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The address; `None` on a Unix socket.
    pub address: Option<IpAddr>,
    /// The scheme that the client used.
    pub scheme: Scheme,
    /// The host and port that the client asked a trusted proxy for, if they are not those of the request.
    pub host: Option<Box<str>>,
}

/// A request as it comes through a door, before any App sees it. For adapters.
///
/// ```
/// use anyhost_core::adapter::{Arrival, Caller};
/// use anyhost_core::Context;
///
/// let request = http::Request::get("/x?y").header("host", "a.example").body(())?;
/// let (mut parts, ()) = request.into_parts();
/// let arrival = Arrival::new(Context::fresh(), Caller::default());
/// arrival.admit(&mut parts).map_err(|refusal| format!("{refusal:?}"))?;
/// let context: &Context = parts.extensions.get().ok_or("no context")?;
/// assert_eq!(context.host(), Some("a.example"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Arrival {
    context: Context,
    caller: Caller,
    upgrades: bool,
    extended: bool,
    whole_server: bool,
    gateway: Option<String>,
}

impl Arrival {
    /// A request of this caller. The context holds what only the door knows: the id, the life of the process, the
    /// deadline, the mount, the event, and the trace of a platform that has one of its own.
    pub fn new(context: Context, caller: Caller) -> Self {
        Self {
            context,
            caller,
            upgrades: false,
            extended: false,
            whole_server: false,
            gateway: None,
        }
    }

    /// Says that this door has a connection, which can become a WebSocket. Else such a request is refused with 501.
    pub fn with_upgrades(mut self) -> Self {
        self.upgrades = true;
        self
    }

    /// Says that the request is an extended CONNECT for a WebSocket (RFC 8441).
    pub fn with_extended_connect(mut self) -> Self {
        self.extended = true;
        self
    }

    /// Says that the target was an absolute one without a path, which for OPTIONS means the whole server
    /// (RFC 9112 §3.2.4). `http` gives such a target the path `/`.
    pub fn for_whole_server(mut self, whole_server: bool) -> Self {
        self.whole_server = whole_server;
        self
    }

    /// Says that the request came through a gateway, by this name (empty if unknown): it may lack a `Host` header.
    pub fn through_gateway(mut self, name: impl Into<String>) -> Self {
        self.gateway = Some(name.into());
        self
    }

    /// Makes the request one for the App: the target in origin or asterisk form, the headers without those of one
    /// connection, the host in its header, one header of cookies, and the [`Context`] in the extensions.
    ///
    /// # Errors
    /// [`Refusal`] if no App may see this request.
    pub fn admit(self, parts: &mut Parts) -> Result<(), Box<Refusal>> {
        let Self { mut context, mut caller, upgrades, extended, whole_server, gateway } = self;
        let headers = RequestHeaders::read(&parts.headers);
        let websocket = match headers.hops && parts.headers.contains_key(UPGRADE) {
            true => asks_for_websocket(&parts.method, &parts.headers),
            false => extended,
        };
        let asked = check_method(parts, websocket, extended, upgrades)
            .and_then(|()| take_host(parts, headers.host, gateway.is_some()))
            .and_then(|host| count(&parts.headers).map(|()| host));
        let (host, checked) = asked.map_or_else(|error| (None, Err(error)), |host| (host, Ok(())));
        let gateway = gateway.filter(|name| !name.is_empty());
        caller.host = caller.host.or(host).or_else(|| gateway.map(Box::from));
        caller.address = caller.address.map(|address| address.to_canonical());
        // A door without a connection has no trailers.
        let trailers = upgrades && headers.hops && takes_trailers(&parts.headers);
        context.arrived(caller, headers.trace_parent, websocket && upgrades, trailers);
        let made = checked.and_then(|()| {
            if headers.lengths > 1 {
                // Refused even if they agree (RFC 9110 §8.6), as HTTP/1.1 does before it parses a request.
                return Err(bad("there are two Content-Length headers"));
            }
            parts.uri = target(std::mem::take(&mut parts.uri), &parts.method, whole_server)?;
            if headers.cookies > 1 { join_cookies(&mut parts.headers) } else { Ok(()) }
        });
        if let Err(error) = made {
            return Err(Box::new(Refusal { method: parts.method.clone(), context, error }));
        }
        if headers.hops {
            strip_hop_by_hop(&mut parts.headers);
        }
        if websocket && !extended {
            // An App recognises the handshake by these two.
            parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        parts.extensions.insert(context);
        Ok(())
    }
}

/// Why a request never reaches an App, with what is known of it. For adapters.
#[derive(Debug)]
pub struct Refusal {
    method: Method,
    context: Context,
    error: Error,
}

impl Refusal {
    /// Returns the answer for the client; the reason is logged under the request's id.
    #[must_use]
    pub fn into_response(self) -> Response {
        refuse(&self.method, &self.context, self.error)
    }

    /// Returns the reason.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Returns the parts: the method, what is known of the request, and the reason.
    #[must_use]
    pub fn into_parts(self) -> (Method, Context, Error) {
        (self.method, self.context, self.error)
    }
}

fn bad(why: &'static str) -> Error {
    Error::new(StatusCode::BAD_REQUEST, why)
}

fn count(headers: &HeaderMap) -> Result<(), Error> {
    if headers.len() <= MOST_HEADERS {
        return Ok(());
    }
    Err(Error::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers"))
}

fn check_method(
    parts: &Parts,
    websocket: bool,
    extended: bool,
    upgrades: bool,
) -> Result<(), Error> {
    if parts.method == Method::CONNECT && !extended {
        return Err(Error::new(StatusCode::NOT_IMPLEMENTED, "this is no proxy"));
    }
    if websocket && !upgrades {
        let why = "WebSocket connections are not offered";
        return Err(Error::new(StatusCode::NOT_IMPLEMENTED, why));
    }
    Ok(())
}

/// Checks the host, and copies one that the target names into the header: so HTTP/2 and absolute targets send it
/// (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
fn take_host(
    parts: &mut Parts,
    sent: SentHost,
    through_gateway: bool,
) -> Result<Option<Box<str>>, Error> {
    let sent = match sent {
        SentHost::None => None,
        SentHost::Valid(host) => Some(host),
        SentHost::Wrong(why) => return Err(bad(why)),
    };
    let http2 = parts.version == Version::HTTP_2;
    let Some(authority) = parts.uri.authority() else {
        if sent.is_none() && !through_gateway && parts.version > Version::HTTP_10 {
            return Err(bad("there is no host"));
        }
        return Ok(sent.filter(|host| !host.is_empty()));
    };
    if !is_host(authority.as_str()) {
        return Err(bad("the request target is not for this method"));
    }
    if !http2 && parts.uri.scheme().is_none() {
        // A host alone is for CONNECT (RFC 9112 §3.2.3).
        return Err(bad("the request target is not for this method"));
    }
    if sent.is_none() && !http2 && parts.version > Version::HTTP_10 {
        return Err(bad("there is no host"));
    }
    let sent = sent.as_deref();
    if http2 && sent.is_some_and(|sent| !same_host(sent, authority, parts.uri.scheme_str())) {
        return Err(bad("the Host header is not the authority that is asked"));
    }
    let host: Box<str> = Box::from(authority.as_str());
    if sent != Some(&*host) && !(http2 && sent.is_some()) {
        let value = HeaderValue::from_str(&host).map_err(|_| bad("the host is not valid"))?;
        if sent.is_some() {
            parts.headers.insert(HOST, value);
        } else {
            // The host comes first, as HTTP/1.1 has it.
            let mut all = HeaderMap::with_capacity(parts.headers.keys_len() + 1);
            all.insert(HOST, value);
            all.extend(std::mem::take(&mut parts.headers));
            parts.headers = all;
        }
    }
    Ok(Some(host))
}

/// Whether a header names the authority, with or without the port that the scheme has anyway.
fn same_host(sent: &str, authority: &Authority, scheme: Option<&str>) -> bool {
    let port = if scheme == Some("http") { ":80" } else { ":443" };
    let bare = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    bare(sent) == bare(authority.as_str())
}

/// Returns the target without scheme and host. An asterisk, which stands for the whole server, is for OPTIONS alone.
fn target(uri: Uri, method: &Method, whole_server: bool) -> Result<Uri, Error> {
    if whole_server && *method == Method::OPTIONS {
        return Ok(Uri::from_static("*"));
    }
    let parts = uri.into_parts();
    let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
    if path.path() == "*" && *method != Method::OPTIONS {
        return Err(bad("the request target is not for this method"));
    }
    Ok(Uri::from(path))
}

/// Joins the cookies in one header: HTTP/2 may have split them (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) -> Result<(), Error> {
    let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    let whole = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]));
    headers.insert(COOKIE, whole.map_err(|_| bad("a cookie is not valid"))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(request: http::request::Builder) -> Result<Parts, StatusCode> {
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        let caller = Caller { address: "::ffff:192.0.2.1".parse().ok(), ..Caller::default() };
        let arrival = Arrival::new(Context::new("r-1"), caller);
        let admitted = arrival.admit(&mut parts);
        admitted.map(|()| parts).map_err(|refusal| refusal.error().status())
    }

    fn host(parts: &Parts) -> (Option<&str>, Option<&str>) {
        let context: &Context = parts.extensions.get().expect("a context");
        (context.host(), parts.headers.get(HOST).and_then(|host| host.to_str().ok()))
    }

    #[test]
    fn the_host_of_the_target_replaces_the_headers() {
        let request = http::Request::get("http://a.example:81/p?q").header(HOST, "other");
        let parts = admitted(request).expect("a request");
        assert_eq!(
            (host(&parts), parts.uri.to_string()),
            ((Some("a.example:81"), Some("a.example:81")), "/p?q".into())
        );
        let context: &Context = parts.extensions.get().expect("a context");
        assert_eq!(context.client_ip(), "192.0.2.1".parse().ok());
    }

    #[test]
    fn in_http_2_the_default_port_makes_no_difference() {
        for (sent, expected) in [
            ("a.example", Ok(())),
            ("A.example:80", Ok(())),
            ("a.example:81", Err(StatusCode::BAD_REQUEST)),
        ] {
            let request = http::Request::get("http://a.example:80/").header(HOST, sent);
            assert_eq!(admitted(request.version(Version::HTTP_2)).map(|_| ()), expected, "{sent}");
        }
        let request = http::Request::get("http://a.example/").header("x-a", "1");
        let parts = admitted(request.version(Version::HTTP_2)).expect("a request");
        assert_eq!(parts.headers.keys().next(), Some(&HOST));
    }

    #[test]
    fn a_host_is_needed_once_and_is_one() {
        for (request, expected) in [
            (http::Request::get("/"), Err(StatusCode::BAD_REQUEST)),
            (http::Request::get("/").version(Version::HTTP_10), Ok(())),
            (http::Request::get("/").header(HOST, ""), Ok(())),
            (
                http::Request::get("/").header(HOST, "a").header(HOST, "a"),
                Err(StatusCode::BAD_REQUEST),
            ),
            (http::Request::get("/").header(HOST, "a b"), Err(StatusCode::BAD_REQUEST)),
            (http::Request::get("a:80").header(HOST, "a"), Err(StatusCode::BAD_REQUEST)),
            (http::Request::get("*").header(HOST, "a"), Err(StatusCode::BAD_REQUEST)),
            (http::Request::options("*").header(HOST, "a"), Ok(())),
            (http::Request::connect("a:80").header(HOST, "a"), Err(StatusCode::NOT_IMPLEMENTED)),
            (http::Request::get("http://u@a/").header(HOST, "a"), Err(StatusCode::BAD_REQUEST)),
        ] {
            let text = format!("{request:?}");
            assert_eq!(admitted(request).map(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn a_trace_that_the_client_began_goes_on() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let request = http::Request::get("/").header(HOST, "a").header("traceparent", parent);
        let parts = admitted(request).expect("a request");
        let context: &Context = parts.extensions.get().expect("a context");
        assert_eq!(context.trace_parent(), parent);
    }

    #[test]
    fn a_websocket_needs_a_connection() {
        let ask = || {
            http::Request::get("/ws")
                .header(HOST, "a")
                .header(CONNECTION, "keep-alive, Upgrade")
                .header(UPGRADE, "websocket")
        };
        assert_eq!(admitted(ask()).map(|_| ()), Err(StatusCode::NOT_IMPLEMENTED));
        let (mut parts, ()) = ask().body(()).expect("a request").into_parts();
        let arrival = Arrival::new(Context::new("r-1"), Caller::default()).with_upgrades();
        arrival.admit(&mut parts).expect("a request");
        assert_eq!(parts.headers[CONNECTION], "upgrade");
        let context: &Context = parts.extensions.get().expect("a context");
        assert!(context.upgrades());
        // An Upgrade that Connection does not name is none.
        let parts =
            admitted(http::Request::get("/").header(HOST, "a").header(UPGRADE, "websocket"));
        assert!(!parts.expect("a request").headers.contains_key(UPGRADE));
    }
}
