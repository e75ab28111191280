//! From actix's request to the App's.

mod http2;

use std::sync::Arc;

use actix_http::{ConnectionType, header as old};
use anyhost_core::{
    Body, Context, Error, Life, Request, is_hop_by_hop, refuse_websocket, strip_hop_by_hop,
};
use bytes::Bytes;
use http::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
pub(super) use http2::translate as translate_http2;

use crate::Trust;
use crate::connection::Conn;
use crate::trust::{Caller, is_host};

/// The header of W3C Trace Context.
static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

fn bad(why: &'static str) -> Error {
    Error::new(StatusCode::BAD_REQUEST, why)
}

/// The request for the App, its body left out.
///
/// # Errors
/// What the client is told where no App shall see its request; the connection ends with it.
pub(super) fn translate(
    from: &actix_http::Request,
    conn: &Conn,
    life: &Life,
    trust: &Trust,
) -> Result<Request, Error> {
    let method = method(from.method())?;
    if method == Method::CONNECT {
        return Err(Error::new(StatusCode::NOT_IMPLEMENTED, "this is no proxy"));
    }
    if from.head().connection_type() == ConnectionType::Upgrade {
        let offers = [old::CONNECTION, old::UPGRADE].map(|name| from.head().headers.get_all(name));
        let [connection, upgrade] = offers.map(|values| values.map(|value| value.as_bytes()));
        let connection = connection.map(|value| (CONNECTION, HeaderValue::from_bytes(value)));
        let upgrade = upgrade.map(|value| (UPGRADE, HeaderValue::from_bytes(value)));
        let offers =
            connection.chain(upgrade).filter_map(|(name, value)| Some((name, value.ok()?)));
        refuse_websocket(&method, &offers.collect())?;
    }
    fits(&method, from.uri())?;
    let lines = conn.take_lines();
    let mut repeat = conn.repeat.borrow_mut();
    let uri = match from.uri().path_and_query() {
        None => Uri::from_static("/"),
        Some(path) => match repeat.recall_target(path.as_str()) {
            Some(uri) => uri,
            None => {
                let uri = target(path.as_str())?;
                repeat.remember_target(&uri);
                uri
            }
        },
    };
    // The host of an absolute target stands above the header's, and no two such targets need be the same.
    let absolute = from.uri().authority().map(|authority| authority.as_str());
    let (headers, caller) = match repeat.recall(lines.filter(|_| absolute.is_none())) {
        Some(repeated) => repeated,
        None => {
            let headers = headers(&from.head().headers)?;
            let named = host(&headers)?;
            let host = absolute.map(Arc::from).or(named);
            let seen = Caller { address: conn.peer(), scheme: conn.scheme(), host };
            let caller = trust.read(seen, &headers);
            repeat.remember(lines.filter(|_| absolute.is_none()), &headers, &caller);
            (headers, caller)
        }
    };
    let version = match from.version() {
        actix_http::Version::HTTP_10 => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    Ok(made((method, uri, version), headers, caller, conn, life, trust))
}

/// The request that all of this makes.
fn made(
    (method, uri, version): (Method, Uri, Version),
    headers: HeaderMap,
    caller: Caller,
    conn: &Conn,
    life: &Life,
    trust: &Trust,
) -> Request {
    let trace_parent = headers
        .get(&TRACE_PARENT)
        .and_then(|value| value.to_str().ok())
        .filter(|value| is_trace_parent(value))
        .map(str::to_owned);
    let named = match trust.request_id(conn.peer(), &headers) {
        Some(id) => Context::new(id),
        None => Context::fresh(),
    };
    let mut context =
        named.with_life(life.clone()).with_caller(caller.address, caller.scheme, caller.host);
    if trace_parent.is_some() {
        context = context.with_trace_parent(trace_parent);
    }
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    request.extensions_mut().insert(context);
    request
}

fn method(from: &actix_http::Method) -> Result<Method, Error> {
    Method::from_bytes(from.as_str().as_bytes()).map_err(|_| bad("the method is not a token"))
}

/// Whether a target is of a form for its method: a host alone is for CONNECT, an asterisk for OPTIONS
/// (RFC 9112 §3.2); another server reads them otherwise.
fn fits(method: &Method, target: &actix_http::Uri) -> Result<(), Error> {
    if (target.scheme().is_none() && target.authority().is_some())
        || (target.path() == "*" && *method != Method::OPTIONS)
    {
        return Err(bad("the request target is not for this method"));
    }
    Ok(())
}

/// The target as the client sent it, without the scheme and the host of a request to a proxy.
fn target(path: &str) -> Result<Uri, Error> {
    PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(path.as_bytes()))
        .map(Uri::from)
        .map_err(|_| bad("the request target is not valid"))
}

/// The headers in the order they came, without those of this connection.
fn headers(from: &old::HeaderMap) -> Result<HeaderMap, Error> {
    // actix keeps headers in a hash map: the order of the values of one name, but not that of the names.
    // All values are slices of the one buffer that the head was read into, so their addresses tell it.
    let mut sent: Vec<(&old::HeaderName, &[u8])> =
        from.iter().map(|(name, value)| (name, value.as_bytes())).collect();
    sent.sort_by_key(|(_, value)| value.as_ptr());
    // One buffer for all values.
    let mut bytes = Vec::with_capacity(sent.iter().map(|(_, value)| value.len()).sum());
    for (_, value) in &sent {
        bytes.extend_from_slice(value);
    }
    let mut bytes = Bytes::from(bytes);
    let mut headers = HeaderMap::with_capacity(sent.len());
    let mut named = false;
    for (name, value) in sent {
        let bytes = bytes.split_to(value.len());
        let name = HeaderName::from_lowercase(name.as_str().as_bytes())
            .map_err(|_| bad("a header name is not a token"))?;
        if is_hop_by_hop(&name) {
            let lists = name == CONNECTION
                && !value.eq_ignore_ascii_case(b"keep-alive")
                && !value.eq_ignore_ascii_case(b"close");
            if !lists {
                continue;
            }
            named = true;
        }
        let value = HeaderValue::from_maybe_shared(bytes)
            .map_err(|_| bad("a header value has a control character"))?;
        headers.append(name, value);
    }
    if named {
        // `Connection` names more headers that end here.
        strip_hop_by_hop(&mut headers);
    }
    Ok(headers)
}

/// The host and port that the header names.
fn host(headers: &HeaderMap) -> Result<Option<Arc<str>>, Error> {
    match headers.get(http::header::HOST).map(HeaderValue::to_str) {
        None | Some(Ok("")) => Ok(None),
        Some(Ok(host)) if is_host(host) => Ok(Some(host.into())),
        Some(_) => Err(bad("the Host header is not a host")),
    }
}

/// A `traceparent` that W3C Trace Context accepts; any other is as good as none.
fn is_trace_parent(text: &str) -> bool {
    let hex = |part: &str, length: usize| {
        part.len() == length
            && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let mut parts = text.splitn(5, '-');
    let (Some(version), Some(trace), Some(parent), Some(flags)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    hex(version, 2)
        && version != "ff"
        && hex(trace, 32)
        && trace.bytes().any(|b| b != b'0')
        && hex(parent, 16)
        && parent.bytes().any(|b| b != b'0')
        && hex(flags, 2)
        && (version != "00" || parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for good in
            ["a", "a.example:8080", "10.0.0.5:8080", "[::1]", "[::1]:80", "", "a:", "xn--a_b"]
        {
            assert!(is_host(good), "{good:?}");
        }
        for wrong in
            ["a b", "a,b", "http://a", "a@b", "a/b", "a:b", "a:80:80", "[::1", "::1]", "a?b", "[]"]
        {
            assert!(!is_host(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn trace_parents() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = "00f067aa0ba902b7";
        assert!(is_trace_parent(&format!("00-{trace}-{parent}-01")));
        assert!(is_trace_parent(&format!("01-{trace}-{parent}-01-more")));
        for wrong in [
            format!("00-{trace}-{parent}-01-more"),
            format!("ff-{trace}-{parent}-01"),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
            format!("00-{}-{parent}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            "00".into(),
        ] {
            assert!(!is_trace_parent(&wrong), "{wrong:?}");
        }
    }
}
