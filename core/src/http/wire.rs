//! Headers that belong to one connection and not to the message.

use http::header::{
    CONNECTION, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

/// Whether a header belongs to one connection (RFC 9110 §7.6.1) and is neither shown to an App nor
/// taken from it, so that every door carries the same message.
#[must_use]
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE]
        .contains(name)
        || name == "keep-alive"
        || name == "proxy-connection"
}

/// Removes the headers that belong to one connection, those that `Connection` names among them.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let unwanted: Vec<HeaderName> =
        headers.keys().filter(|name| is_hop_by_hop(name)).cloned().chain(named).collect();
    for name in unwanted {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_goes_with_it() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, "close, X-Secret-Hop".parse().expect("a value"));
        headers.insert("x-secret-hop", "1".parse().expect("a value"));
        headers.insert("keep-alive", "timeout=5".parse().expect("a value"));
        headers.insert("x-kept", "1".parse().expect("a value"));
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);
    }
}
