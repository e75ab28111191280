//! Who is taken for the client, by what is trusted and what was sent.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn trust(pairs: &[(&str, &str)]) -> Trust {
    let settings = Settings::from_pairs(pairs.iter().copied());
    Trust::default().with(&settings).expect("settings that are right")
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::try_from(*name).expect("a name");
        headers.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    headers
}

fn seen() -> Caller {
    let address = Some("10.0.0.9".parse().expect("an address"));
    Caller { address, scheme: Scheme::Http, host: Some("a.example".into()) }
}

#[track_caller]
fn client(trust: &Trust, lines: &[(&str, &str)], expected: &str) {
    let caller = trust.read(seen(), &headers(lines));
    let address = caller.address.map(|address| address.to_string());
    assert_eq!(address.as_deref(), Some(expected), "{trust:?} {lines:?}");
}

#[test]
fn unasked_nobody_is_believed() {
    let lines = [
        ("x-forwarded-for", "198.51.100.66"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=198.51.100.66;proto=https;host=evil.example"),
        ("fly-client-ip", "198.51.100.66"),
        ("x-real-ip", "198.51.100.66"),
        ("x-request-id", "mine"),
    ];
    for trust in [Trust::default(), trust(&[]), trust(&[("TRUSTED_PROXIES", "0")])] {
        assert_eq!(trust.read(seen(), &headers(&lines)), seen());
        assert_eq!(trust.request_id(seen().address, &headers(&lines)), None);
    }
}

#[test]
fn hops_count_from_the_right() {
    let one = trust(&[("TRUSTED_PROXIES", "1")]);
    let two = trust(&[("TRUSTED_PROXIES", "2")]);
    let list = [("x-forwarded-for", "6.6.6.6, 203.0.113.7, 192.0.2.2")];
    client(&one, &list, "192.0.2.2");
    client(&two, &list, "203.0.113.7");
    let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.7,192.0.2.2")];
    client(&two, &lines, "203.0.113.7");
    client(&two, &[("x-forwarded-for", "192.0.2.2")], "192.0.2.2");
    client(&one, &[], "10.0.0.9");
    client(&one, &[("x-forwarded-for", "[2001:db8::7]:443")], "2001:db8::7");
    client(&one, &[("x-forwarded-for", "203.0.113.7:4711")], "203.0.113.7");
}

#[test]
fn networks_are_followed_to_the_first_stranger() {
    let trust = trust(&[("TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32")]);
    client(&trust, &[("x-forwarded-for", "6.6.6.6, 203.0.113.7, 10.1.1.1")], "203.0.113.7");
    client(&trust, &[("x-forwarded-for", "10.3.3.3, 10.1.1.1")], "10.3.3.3");
    client(&trust, &[("x-forwarded-for", "203.0.113.7, 2001:db8::1")], "203.0.113.7");
    // The peer itself is a stranger: nothing it says counts.
    let stranger = Caller { address: "203.0.113.1".parse().ok(), ..seen() };
    let lines = headers(&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-proto", "https")]);
    assert_eq!(trust.read(stranger.clone(), &lines), stranger);
    assert_eq!(trust.request_id(stranger.address, &headers(&[("x-request-id", "r")])), None);
}

#[test]
fn what_is_no_address_ends_the_search_at_the_last_that_was_one() {
    let two = trust(&[("TRUSTED_PROXIES", "2")]);
    client(&two, &[("x-forwarded-for", "6.6.6.6, unknown, 192.0.2.2")], "192.0.2.2");
    client(&two, &[("x-forwarded-for", "6.6.6.6, _hidden")], "10.0.0.9");
    client(&two, &[("x-forwarded-for", "")], "10.0.0.9");
}

#[test]
fn forwarded_is_believed_where_it_is_named_and_no_other_then() {
    let trust = trust(&[("TRUSTED_PROXIES", "1"), ("TRUSTED_HEADERS", "Forwarded")]);
    let lines = [
        ("forwarded", "for=6.6.6.6;host=evil.example"),
        ("forwarded", "for=\"[2001:db8::7]:4711\";proto=https;host=shop.example"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil.example"),
    ];
    let caller = trust.read(seen(), &headers(&lines));
    assert_eq!(caller.address, "2001:db8::7".parse().ok());
    assert_eq!((caller.scheme, caller.host.as_deref()), (Scheme::Https, Some("shop.example")));
    // What a client left open has swallowed what the proxy added.
    client(&trust, &[("forwarded", "for=\"6.6.6.6, for=203.0.113.7")], "10.0.0.9");
}

#[test]
fn the_scheme_is_that_of_the_outermost_trusted_proxy() {
    let one = trust(&[("TRUSTED_PROXIES", "1")]);
    let two = trust(&[("TRUSTED_PROXIES", "2")]);
    for (trust, said, expected) in [
        (&one, "https", Scheme::Https),
        (&one, "https, http", Scheme::Http),
        (&one, "HTTPS", Scheme::Https),
        (&one, "gopher", Scheme::Http),
        (&two, "https", Scheme::Https),
    ] {
        let lines = [("x-forwarded-proto", said), ("x-forwarded-for", "203.0.113.7, 192.0.2.2")];
        assert_eq!(trust.read(seen(), &headers(&lines)).scheme, expected, "{said}");
    }
    let lines = [("x-forwarded-proto", "https, http"), ("x-forwarded-for", "1.1.1.1, 2.2.2.2")];
    assert_eq!(two.read(seen(), &headers(&lines)).scheme, Scheme::Https);
}

#[test]
fn the_host_is_believed_only_where_that_is_asked_for() {
    let lines = [("x-forwarded-host", "shop.example:8443")];
    let usual = trust(&[("TRUSTED_PROXIES", "1")]);
    assert_eq!(usual.read(seen(), &headers(&lines)).host.as_deref(), Some("a.example"));
    let asked = trust(&[("TRUSTED_PROXIES", "1"), ("TRUSTED_HEADERS", "x-forwarded-host")]);
    assert_eq!(asked.read(seen(), &headers(&lines)).host.as_deref(), Some("shop.example:8443"));
    let wrong = [("x-forwarded-host", "a/b@c")];
    assert_eq!(asked.read(seen(), &headers(&wrong)).host.as_deref(), Some("a.example"));
}

#[test]
fn a_platforms_own_header_stands_alone() {
    let fly = Trust::router(&["fly-client-ip", "x-forwarded-proto"]).expect("headers");
    let fly = fly.with(&Settings::default()).expect("no settings");
    let lines = [
        ("fly-client-ip", "203.0.113.7"),
        ("x-forwarded-for", "6.6.6.6, 192.0.2.2"),
        ("x-forwarded-proto", "https"),
    ];
    client(&fly, &lines, "203.0.113.7");
    assert_eq!(fly.read(seen(), &headers(&lines)).scheme, Scheme::Https);
    assert_eq!(Trust::router(&[]).expect("none").read(seen(), &headers(&lines)), seen());
}

#[test]
fn a_request_id_is_taken_from_who_is_trusted_and_only_a_harmless_one() {
    let trust = trust(&[("TRUSTED_PROXIES", "10.0.0.0/8")]);
    for (id, taken) in [("f9ed4675f1c53513", true), ("a b", false), ("", false), ("<x>", false)] {
        let lines = headers(&[("x-request-id", id)]);
        assert_eq!(trust.request_id(seen().address, &lines), taken.then_some(id), "{id:?}");
    }
    let long = "x".repeat(129);
    assert_eq!(trust.request_id(seen().address, &headers(&[("x-request-id", &long)])), None);
}

#[test]
fn a_wrong_setting_is_named() {
    for (name, value) in [
        ("TRUSTED_PROXIES", "256"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "everybody"),
        ("TRUSTED_HEADERS", "x-forwarded-for, authorization"),
        ("TRUSTED_HEADERS", "x-forwarded-for, forwarded"),
    ] {
        let settings = Settings::from_pairs([(name, value)]);
        let error = Trust::default().with(&settings).expect_err("a wrong value");
        assert_eq!(error.variable(), name);
    }
}

proptest! {
    /// Whatever a client writes, behind one trusted proxy that adds the address it saw the client is that
    /// address.
    #[test]
    fn garbage_before_what_the_proxy_added_changes_nothing(
        lines in proptest::collection::vec("[ -~\\t]{0,60}", 0..4),
    ) {
        let trust = trust(&[("TRUSTED_PROXIES", "1")]);
        let mut headers = HeaderMap::new();
        for line in &lines {
            headers.append("x-forwarded-for", HeaderValue::from_str(line).expect("printable"));
        }
        let mut apart = headers.clone();
        apart.append("x-forwarded-for", HeaderValue::from_static("203.0.113.7"));
        let joined = [lines.join(", ").as_str(), "203.0.113.7"].join(", ");
        let mut together = HeaderMap::new();
        together.append("x-forwarded-for", HeaderValue::from_str(&joined).expect("printable"));
        for headers in [apart, together] {
            let address = trust.read(seen(), &headers).address;
            prop_assert_eq!(address, "203.0.113.7".parse().ok());
        }
    }

    /// The same for `Forwarded`, where a proxy adds a line; and nothing panics on any bytes.
    #[test]
    fn no_forwarded_header_breaks_anything(lines in proptest::collection::vec(
        proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'='), Just(b';'), Just(b','), 32u8..=255], 0..60),
        0..4,
    )) {
        let trust = trust(&[("TRUSTED_PROXIES", "1"), ("TRUSTED_HEADERS", "forwarded, x-real-ip")]);
        let mut headers = HeaderMap::new();
        for line in &lines {
            if let Ok(value) = HeaderValue::from_bytes(line) {
                headers.append("forwarded", value.clone());
                headers.append("x-forwarded-for", value.clone());
                headers.append("x-real-ip", value);
            }
        }
        let _ = trust.read(seen(), &headers);
        headers.remove("x-real-ip");
        headers.append("forwarded", HeaderValue::from_static("for=203.0.113.7"));
        prop_assert_eq!(trust.read(seen(), &headers).address, "203.0.113.7".parse().ok());
    }
}
