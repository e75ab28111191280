//! From a request of HTTP/2 to the App's.

use anyhost_core::{Error, Life, Request, strip_hop_by_hop};
use http::header::{COOKIE, HOST, HeaderValue};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Uri, Version};

use super::{bad, host, made};
use crate::Trust;
use crate::connection::Conn;
use crate::trust::Caller;

/// Headers of one request; of HTTP/1.1 actix takes as many.
const MOST_HEADERS: usize = 96;

/// The request for the App, its body left out. It becomes the one that HTTP/1.1 would have brought: what HTTP/2 has
/// in places of its own, such as the host, stands in its header.
///
/// # Errors
/// What the client is told where no App shall see its request; the connection goes on.
pub(in crate::bridge) fn translate(
    from: Parts,
    conn: &Conn,
    life: &Life,
    trust: &Trust,
) -> Result<Request, Error> {
    let Parts { method, uri, headers, .. } = from;
    if method == Method::CONNECT {
        return Err(Error::new(StatusCode::NOT_IMPLEMENTED, "this is no proxy"));
    }
    if uri.path() == "*" && method != Method::OPTIONS {
        return Err(bad("the request target is not for this method"));
    }
    if headers.len() > MOST_HEADERS {
        let why = "too many headers";
        return Err(Error::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why));
    }
    let mut headers = with_host(headers, uri.authority())?;
    let host = host(&headers)?;
    join_cookies(&mut headers)?;
    strip_hop_by_hop(&mut headers);
    let uri = uri.into_parts().path_and_query.map_or_else(|| Uri::from_static("/"), Uri::from);
    let seen = Caller { address: conn.peer(), scheme: conn.scheme(), host };
    let caller = trust.read(seen, &headers);
    Ok(made((method, uri, Version::HTTP_2), headers, caller, conn, life, trust))
}

/// The headers with the host first, as HTTP/1.1 has it (RFC 9113 §8.3.1).
fn with_host(headers: HeaderMap, authority: Option<&Authority>) -> Result<HeaderMap, Error> {
    let mut named = headers.get_all(HOST).iter();
    match (named.next(), named.next(), authority) {
        (_, Some(_), _) => Err(bad("there are two Host headers")),
        (None, None, None) => Err(bad("there is no host")),
        (Some(host), None, Some(authority))
            if !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            Err(bad("the Host header is not the authority that is asked"))
        }
        (Some(_), None, _) => Ok(headers),
        (None, None, Some(authority)) => {
            let host = HeaderValue::from_str(authority.as_str());
            let mut all = HeaderMap::with_capacity(headers.keys_len() + 1);
            all.insert(HOST, host.map_err(|_| bad("the host is not valid"))?);
            all.extend(headers);
            Ok(all)
        }
    }
}

/// The cookies in one header: HTTP/2 may have split them (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) -> Result<(), Error> {
    let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1 {
        let whole = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]));
        headers.insert(COOKIE, whole.map_err(|_| bad("a cookie is not valid"))?);
    }
    Ok(())
}
