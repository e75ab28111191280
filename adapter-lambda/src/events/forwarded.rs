//! Reads what a router in front of the function states about the client, from headers that the router itself sets.

use std::net::{IpAddr, SocketAddr};

use anyhost_core::Scheme;
use http::HeaderMap;
use http::uri::Authority;

/// The scheme of `X-Forwarded-Proto`, which the gateway sets; the gateway's own scheme if the header is missing.
pub(super) fn scheme(headers: &HeaderMap, own: Scheme) -> Scheme {
    let said = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    match said.map(str::trim) {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
        Some(scheme) if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
        _ => own,
    }
}

/// The last name in `X-Forwarded-Host`, set by the nearest proxy. `None` if it is not an authority.
pub(super) fn host(headers: &HeaderMap) -> Option<&str> {
    let last = headers.get_all("x-forwarded-host").iter().next_back()?.to_str().ok()?;
    let host = last.rsplit(',').next()?.trim();
    let authority: Authority = host.parse().ok()?;
    (!host.contains('@') && !authority.host().is_empty()).then_some(host)
}

/// The last address in `X-Forwarded-For`, which the router added. The addresses before it may be forged by the
/// client.
pub(super) fn last_address(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    address(last.rsplit(',').next()?)
}

/// An address with or without a port, which some routers add.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_port() {
        for (text, expected) in [
            ("203.0.113.7", Some("203.0.113.7")),
            (" 203.0.113.7:4711 ", Some("203.0.113.7")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("test-invoke-source-ip", None),
            ("", None),
        ] {
            assert_eq!(address(text).map(|ip| ip.to_string()).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_forwarded_host_is_the_nearest_proxys_and_an_authority() {
        for (said, expected) in [
            (&["shop.example.com"][..], Some("shop.example.com")),
            (&["evil.example, shop.example.com:8443"], Some("shop.example.com:8443")),
            (&["evil.example", "shop.example.com"], Some("shop.example.com")),
            (&["user@shop.example.com"], None),
            (&["a b"], None),
            (&[""], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in said {
                headers.append("x-forwarded-host", value.parse().expect("a value"));
            }
            assert_eq!(host(&headers), expected, "{said:?}");
        }
    }

    #[test]
    fn the_router_adds_its_address_last() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "1.1.1.1".parse().expect("a value"));
        headers.append("x-forwarded-for", "2.2.2.2, 203.0.113.7".parse().expect("a value"));
        assert_eq!(last_address(&headers), address("203.0.113.7"));
    }
}
