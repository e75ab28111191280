//! Headers that belong to one connection and not to the message.

use http::header::{CONNECTION, HeaderMap, HeaderName, UPGRADE};
use http::{Method, StatusCode};

use crate::Error;

/// Whether a header belongs to one connection (RFC 9110 §7.6.1) and is neither shown to an App nor
/// taken from it, so that every door carries the same message.
#[must_use]
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Removes the headers that belong to one connection, those that `Connection` names among them.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // `Connection` is one of them itself.
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
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

/// Refuses a request to go on as a WebSocket (RFC 6455 §4.1): half of the hosts cannot carry one, so no App
/// is asked for it.
///
/// # Errors
/// 501 where the request asks for one.
pub fn refuse_websocket(method: &Method, headers: &HeaderMap) -> Result<(), Error> {
    let lists = |name, wanted: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(wanted))
    };
    if *method == Method::GET && lists(UPGRADE, "websocket") && lists(CONNECTION, "upgrade") {
        let why = "WebSocket connections are not offered";
        return Err(Error::new(StatusCode::NOT_IMPLEMENTED, why));
    }
    Ok(())
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

    #[test]
    fn a_websocket_is_refused_and_other_offers_are_not() {
        let asks = |method, pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| {
                (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))
            });
            refuse_websocket(&method, &pairs.collect()).is_err()
        };
        let (upgrade, websocket) =
            (("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket"));
        assert!(asks(Method::GET, &[upgrade, websocket]));
        assert!(!asks(Method::POST, &[upgrade, websocket]));
        assert!(!asks(Method::GET, &[upgrade, ("upgrade", "h2c")]));
        assert!(!asks(Method::GET, &[websocket]));
    }
}
