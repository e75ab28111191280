//! Who calls, as actix-web's `ConnectionInfo` shows it: the caller that the host trusts.

use actix_web::HttpMessage;
use actix_web::dev::{RequestHead, ServiceRequest};
use actix_web::http::header::{
    FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, X_FORWARDED_FOR, X_FORWARDED_HOST,
    X_FORWARDED_PROTO,
};
use anyhost_core::{Context, Scheme};

/// The headers that `ConnectionInfo` trusts, whether a proxy or the client has sent them.
const BELIEVED: [HeaderName; 4] = [FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO];

/// Makes `ConnectionInfo` say what the host says of the caller.
///
/// actix-web works it out of the request's headers when it is first asked for, and keeps it. So it is asked
/// here, while the headers are the host's.
pub(crate) fn believe_the_host(request: &mut ServiceRequest) {
    let Some(context) = request.extensions().get::<Context>().cloned() else { return };
    if is_plain(request.head(), &context) {
        return;
    }
    let mut stated = HeaderMap::with_capacity(3);
    let mut state = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            stated.insert(name, value);
        }
    };
    state(X_FORWARDED_PROTO, context.scheme().as_str());
    if let Some(address) = context.client_ip() {
        state(X_FORWARDED_FOR, &address.to_string());
    }
    if let Some(host) = context.host() {
        state(HOST, host);
    }
    let headers = std::mem::replace(request.headers_mut(), stated);
    drop(request.connection_info());
    *request.headers_mut() = headers;
}

/// Whether actix-web comes to the host's result by itself.
fn is_plain(head: &RequestHead, context: &Context) -> bool {
    let headers = head.headers();
    let named = || headers.get(HOST).map(HeaderValue::as_bytes);
    context.scheme() == Scheme::Http
        && head.uri.authority().is_none()
        && !BELIEVED.iter().any(|name| headers.contains_key(name))
        && context.host().is_none_or(|host| named() == Some(host.as_bytes()))
}
