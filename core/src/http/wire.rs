//! Headers that belong to one connection and not to the message.

use http::Method;
use http::header::{CONNECTION, HeaderMap, HeaderName, TE, UPGRADE};

/// The role of a request header for the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Host,
    Cookies,
    TraceParent,
    Length,
    HopByHop,
    Other,
}

/// Returns the role of a request header for the door.
pub(super) fn role(name: &HeaderName) -> Role {
    match name.as_str() {
        "host" => Role::Host,
        "cookie" => Role::Cookies,
        "traceparent" => Role::TraceParent,
        "content-length" => Role::Length,
        "connection"
        | "http2-settings"
        | "keep-alive"
        | "proxy-authenticate"
        | "proxy-authorization"
        | "proxy-connection"
        | "te"
        | "trailer"
        | "transfer-encoding"
        | "upgrade" => Role::HopByHop,
        _ => Role::Other,
    }
}

/// Whether a header belongs to one connection (RFC 9110 §7.6.1, RFC 7540 §3.2.1) and is neither shown to an App nor
/// taken from it, so that every door carries the same message.
#[must_use]
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    role(name) == Role::HopByHop
}

/// Removes the headers that belong to one connection. Those that `Connection` names stay: a client would hide from the App
/// what a proxy has added that passes its `Connection` on.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let unwanted: Vec<HeaderName> =
        headers.keys().filter(|name| is_hop_by_hop(name)).cloned().collect();
    for name in unwanted {
        headers.remove(name);
    }
}

/// Whether a request of HTTP/1.1 asks to go on as a WebSocket (RFC 6455 §4.1). An `Upgrade` that `Connection` does
/// not name is none (RFC 9110 §7.8).
pub(super) fn asks_for_websocket(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET
        && lists(headers, &UPGRADE, "websocket")
        && lists(headers, &CONNECTION, "upgrade")
}

/// Whether the client of a request takes trailers (RFC 9110 §10.1.4).
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    lists(headers, &TE, "trailers")
}

fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    listed(headers, name).any(|one| one.eq_ignore_ascii_case(wanted))
}

/// The members of a header that is a list.
fn listed<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// A `traceparent` that W3C Trace Context accepts; any other is as good as none.
pub(super) fn is_trace_parent(text: &str) -> bool {
    // "00-" trace "-" parent "-" flags; later versions may add more behind another dash.
    const LENGTH: usize = 55;
    let Some((text, rest)) = text.as_bytes().split_at_checked(LENGTH) else { return false };
    let (version, trace, parent, flags) = (&text[..2], &text[3..35], &text[36..52], &text[53..]);
    [2, 35, 52].iter().all(|dash| text[*dash] == b'-')
        && is_hex(version)
        && version != b"ff"
        && is_trace_id(trace)
        && is_hex(parent)
        && !is_zero(parent)
        && is_hex(flags)
        && (rest.is_empty() || version != b"00" && rest[0] == b'-')
}

/// Whether a text is the id of a trace in W3C Trace Context: 32 hexadecimal digits in lower case, not all zero.
pub(super) fn is_trace_id(text: &[u8]) -> bool {
    text.len() == 32 && is_hex(text) && !is_zero(text)
}

fn is_hex(text: &[u8]) -> bool {
    // Every byte is looked at: the compiler turns that into 75 instructions for 32 digits instead of 470, and most requests
    // have a trace.
    text.iter().fold(true, |all, byte| all & matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte == b'0')
}

/// Whether a text is `uri-host [ ":" port ]` of RFC 9110 §7.2, less the characters that no host has and attacks do.
#[must_use]
pub fn is_host(text: &str) -> bool {
    let port = match text.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((inside, port)) if !inside.is_empty() && inside.bytes().all(is_of_literal) => {
                port.as_bytes()
            }
            _ => return false,
        },
        None => {
            let end = text.bytes().position(|byte| !is_of_name(byte));
            &text.as_bytes()[end.unwrap_or(text.len())..]
        }
    };
    port.is_empty()
        || port.strip_prefix(b":").is_some_and(|port| port.iter().all(u8::is_ascii_digit))
}

fn is_of_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b":.-_~%".contains(&byte)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$'..=b'+' | b';' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, "close, X-Named, Host".parse().expect("a value"));
        headers.insert("host", "a".parse().expect("a value"));
        headers.insert("x-named", "1".parse().expect("a value"));
        headers.insert("keep-alive", "timeout=5".parse().expect("a value"));
        headers.insert("x-kept", "1".parse().expect("a value"));
        strip_hop_by_hop(&mut headers);
        let mut kept: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        kept.sort_unstable();
        assert_eq!(kept, ["host", "x-kept", "x-named"]);
    }

    #[test]
    fn a_websocket_is_asked_for_by_two_headers() {
        let asks = |method, pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| {
                (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))
            });
            asks_for_websocket(&method, &pairs.collect())
        };
        let (upgrade, websocket) =
            (("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket"));
        assert!(asks(Method::GET, &[upgrade, websocket]));
        assert!(!asks(Method::POST, &[upgrade, websocket]));
        assert!(!asks(Method::GET, &[upgrade, ("upgrade", "h2c")]));
        assert!(!asks(Method::GET, &[websocket]));
    }
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
