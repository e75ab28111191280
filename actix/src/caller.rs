//! Makes actix-web's `ConnectionInfo` show the client that the host has determined.

use actix_web::HttpMessage;
use actix_web::dev::{RequestHead, ServiceRequest};
use actix_web::http::header::{
    FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, X_FORWARDED_FOR, X_FORWARDED_HOST,
    X_FORWARDED_PROTO,
};
use anyhost_core::{Context, Scheme};

/// The headers that `ConnectionInfo` trusts, whether a proxy or the client has sent them.
const BELIEVED: [HeaderName; 4] = [FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO];

/// Fills `ConnectionInfo` with the client's address, scheme and host as the host has determined them.
///
/// actix-web derives `ConnectionInfo` from the headers at its first use, and caches it. So it is used
/// here first, while the headers are those that the host has set. The address is the peer's, which the host has set too.
pub(crate) fn believe_the_host(request: &mut ServiceRequest) {
    let Some(context) = request.extensions().get::<Context>().cloned() else { return };
    if is_plain(request.head(), &context) {
        return;
    }
    let mut stated = HeaderMap::with_capacity(2);
    let mut state = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            stated.insert(name, value);
        }
    };
    state(X_FORWARDED_PROTO, context.scheme().as_str());
    if let Some(host) = context.host() {
        state(HOST, host);
    }
    let headers = std::mem::replace(request.headers_mut(), stated);
    drop(request.connection_info());
    *request.headers_mut() = headers;
}

/// Whether actix-web derives the same client without these headers.
fn is_plain(head: &RequestHead, context: &Context) -> bool {
    let headers = head.headers();
    let named = || headers.get(HOST).map(HeaderValue::as_bytes);
    context.scheme() == Scheme::Http
        && head.uri.authority().is_none()
        && !BELIEVED.iter().any(|name| headers.contains_key(name))
        && context.host().is_none_or(|host| named() == Some(host.as_bytes()))
}
