//! The client that the App sees, by what is trusted and what was sent.

use std::sync::Mutex;

use anyhost_core::Setting;
use anyhost_server::{Networks, TrustedProxies};
use http::HeaderValue;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::running::Running;

/// What the App sees of a caller: address, scheme and host.
fn caller(text: &str) -> String {
    let line = text.lines().last().expect("the line of the context");
    line.split(" id=").next().expect("an id").to_owned()
}

/// Asks with these header lines.
async fn ask(client: &mut Client, lines: &[(&str, &[u8])]) -> String {
    let mut head = b"GET / HTTP/1.1\r\nhost: a.example\r\n".to_vec();
    for (name, value) in lines {
        head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    client.send([&head[..], b"\r\n"].concat()).await;
    client.answer().await.text().to_owned()
}

/// A server with these settings, and header lines with the caller that each makes the App see. Where only an address is
/// expected, the scheme and the host are the connection's.
async fn check(settings: &[(&str, &str)], cases: &[(&[(&str, &str)], &str)]) {
    let server = Running::with(settings).await;
    let mut client = server.connect().await;
    for (lines, expected) in cases {
        let bytes: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let seen = caller(&ask(&mut client, &bytes).await);
        let expected = match expected.split_whitespace().collect::<Vec<_>>()[..] {
            [ip, scheme, host] => format!("ip=Some({ip}) scheme={scheme} host=Some({host:?})"),
            _ => format!("ip=Some({expected}) scheme=http host=Some(\"a.example\")"),
        };
        assert_eq!(seen, expected, "{settings:?} {lines:?}");
    }
}

const PEER: &str = "127.0.0.1";

#[tokio::test(flavor = "multi_thread")]
async fn unasked_nobody_is_believed() {
    let lines: &[_] = &[
        ("x-forwarded-for", "198.51.100.66"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=198.51.100.66;proto=https;host=evil.example"),
        ("fly-client-ip", "198.51.100.66"),
        ("x-real-ip", "198.51.100.66"),
    ];
    check(&[], &[(lines, PEER)]).await;
    check(&[("TRUSTED_PROXIES", "0")], &[(lines, PEER)]).await;
    // The peer is a stranger to those that are trusted.
    check(&[("TRUSTED_PROXIES", "10.0.0.0/8")], &[(lines, PEER)]).await;
    assert_eq!(TrustedProxies::router(&[]).expect("no headers"), TrustedProxies::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn hops_count_from_the_right() {
    let list: &[_] = &[("x-forwarded-for", "6.6.6.6, 203.0.113.7, 192.0.2.2")];
    check(
        &[("TRUSTED_PROXIES", "1")],
        &[
            (list, "192.0.2.2"),
            (&[], PEER),
            (&[("x-forwarded-for", "[2001:db8::7]:443")], "2001:db8::7"),
            (&[("x-forwarded-for", "203.0.113.7:4711")], "203.0.113.7"),
            (&[("x-forwarded-for", "[2001:db8::7]")], "2001:db8::7"),
            (&[("x-forwarded-for", "2001:db8::7")], "2001:db8::7"),
            (&[("x-forwarded-for", "::ffff:192.0.2.1")], "192.0.2.1"),
        ],
    )
    .await;
    let two: &[_] = &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.7,192.0.2.2")];
    check(
        &[("TRUSTED_PROXIES", "2")],
        &[
            (list, "203.0.113.7"),
            (two, "203.0.113.7"),
            (&[("x-forwarded-for", "192.0.2.2")], "192.0.2.2"),
            // What is no address ends the search at the last that was one.
            (&[("x-forwarded-for", "6.6.6.6, unknown, 192.0.2.2")], "192.0.2.2"),
            (&[("x-forwarded-for", "6.6.6.6, _hidden")], PEER),
            (&[("x-forwarded-for", "")], PEER),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_are_followed_to_the_first_stranger() {
    check(
        &[("TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8, 2001:db8::/32")],
        &[
            (&[("x-forwarded-for", "6.6.6.6, 203.0.113.7, 10.1.1.1")], "203.0.113.7"),
            (&[("x-forwarded-for", "10.3.3.3, 10.1.1.1")], "10.3.3.3"),
            (&[("x-forwarded-for", "203.0.113.7, 2001:db8::1")], "203.0.113.7"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_is_believed_where_it_is_named_and_no_other_then() {
    let lines: &[_] = &[
        ("forwarded", "for=6.6.6.6;host=evil.example"),
        ("forwarded", "for=\"[2001:db8::7]:4711\";proto=https;host=shop.example"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil.example"),
    ];
    check(
        &[("TRUSTED_PROXIES", "1"), ("TRUSTED_HEADERS", "Forwarded")],
        &[
            (lines, "2001:db8::7 https shop.example"),
            // What a client left open has swallowed what the proxy added.
            (&[("forwarded", "for=\"6.6.6.6, for=203.0.113.7")], PEER),
            (
                &[("forwarded", "for=192.0.2.60;proto=https;by=10.1.1.1")],
                "192.0.2.60 https a.example",
            ),
            (&[("forwarded", "for=6.6.6.6, for=198.51.100.17")], "198.51.100.17"),
            (&[("forwarded", "for=192.0.2.1:80 ; HOST=b.example")], "192.0.2.1 http b.example"),
            // A comma in quotes ends no element; a host with one is none.
            (&[("forwarded", "for=192.0.2.1;host=\"a,b;c\"")], "192.0.2.1"),
            (&[("forwarded", "for=192.0.2.1;host=\"b\\.example\"")], "192.0.2.1 http b.example"),
            (&[("forwarded", "for=_hidden;proto=https")], "127.0.0.1 https a.example"),
            (&[("forwarded", "")], PEER),
        ],
    )
    .await;
}

/// Of a line that is not well formed nothing is believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_forwarded_says_nothing() {
    let malformed = ["for=\"192.0.2.1", "for", "=1", "for=a b", "for=\"a\"b", "f r=1", "for=é"];
    let behind = malformed.map(|line| format!("for=203.0.113.7;x=1, {line}"));
    let lines = malformed.into_iter().chain(behind.iter().map(String::as_str));
    let lines: Vec<_> = lines.map(|line| [("forwarded", line)]).collect();
    let cases: Vec<(&[(&str, &str)], &str)> = lines.iter().map(|line| (&line[..], PEER)).collect();
    check(&[("TRUSTED_PROXIES", "2"), ("TRUSTED_HEADERS", "forwarded")], &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheme_is_that_of_the_outermost_trusted_proxy() {
    let list = ("x-forwarded-for", "203.0.113.7, 192.0.2.2");
    check(
        &[("TRUSTED_PROXIES", "1")],
        &[
            (&[("x-forwarded-proto", "https"), list], "192.0.2.2 https a.example"),
            (&[("x-forwarded-proto", "https, http"), list], "192.0.2.2 http a.example"),
            (&[("x-forwarded-proto", "HTTPS"), list], "192.0.2.2 https a.example"),
            (&[("x-forwarded-proto", "gopher"), list], "192.0.2.2 http a.example"),
        ],
    )
    .await;
    check(
        &[("TRUSTED_PROXIES", "2")],
        &[
            (&[("x-forwarded-proto", "https"), list], "203.0.113.7 https a.example"),
            (&[("x-forwarded-proto", "https, http"), list], "203.0.113.7 https a.example"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_believed_only_where_that_is_asked_for() {
    let lines: &[_] = &[("x-forwarded-host", "shop.example:8443")];
    check(&[("TRUSTED_PROXIES", "1")], &[(lines, PEER)]).await;
    check(
        &[("TRUSTED_PROXIES", "1"), ("TRUSTED_HEADERS", "x-forwarded-host")],
        &[(lines, "127.0.0.1 http shop.example:8443"), (&[("x-forwarded-host", "a/b@c")], PEER)],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platforms_own_header_stands_alone() {
    let lines: &[_] = &[
        ("fly-client-ip", "203.0.113.7"),
        ("x-forwarded-for", "6.6.6.6, 192.0.2.2"),
        ("x-forwarded-proto", "https"),
    ];
    check(
        &[("TRUSTED_PROXIES", "1"), ("TRUSTED_HEADERS", "fly-client-ip, x-forwarded-proto")],
        &[(lines, "203.0.113.7 https a.example")],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_taken_from_who_is_trusted_and_only_a_harmless_one() {
    let long = "x".repeat(129);
    let ids = ["f9ed4675f1c53513", "a b", "<x>", long.as_str()];
    for (trusted, accepted) in [("127.0.0.0/8", 1), ("10.0.0.0/8", 0)] {
        let server = Running::with(&[("TRUSTED_PROXIES", trusted)]).await;
        let mut client = server.connect().await;
        for (number, id) in ids.iter().enumerate() {
            let text = ask(&mut client, &[("x-request-id", id.as_bytes())]).await;
            assert_eq!(text.contains(&format!(" id={id} ")), number < accepted, "{id:?}: {text}");
        }
    }
}

#[test]
fn networks_addresses_and_unix_are_told_apart() {
    let networks = Networks::parse("10.0.0.0/8,fd00::/8 , 192.0.2.7").expect("a list");
    for (peer, inside) in [
        ("10.255.0.1", true),
        ("::ffff:10.0.0.1", true),
        ("11.0.0.1", false),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("fd12::1", true),
        ("fe80::1", false),
    ] {
        assert_eq!(networks.contain(peer.parse().ok()), inside, "{peer}");
    }
    assert!(!networks.contain(None));
    assert!(Networks::parse("unix").expect("a list").contain(None));
    for wrong in ["10.0.0.0/33", "everybody", "10.0.0.1,", "10.0.0", "example.com"] {
        assert_eq!(Networks::parse(wrong), None, "{wrong:?}");
    }
}

/// Whatever a client writes, behind one trusted proxy that adds the address it saw the client is that address.
#[test]
fn garbage_before_what_a_proxy_added_changes_nothing() {
    let runtime = Runtime::new().expect("a runtime");
    let (first, second, _servers) = runtime.block_on(async {
        let first = Running::with(&[("TRUSTED_PROXIES", "1")]).await;
        let headers = ("TRUSTED_HEADERS", "forwarded, x-real-ip");
        let second = Running::with(&[("TRUSTED_PROXIES", "1"), headers]).await;
        let clients = [first.connect().await, second.connect().await].map(Mutex::new);
        let [one, other] = clients;
        (one, other, (first, second))
    });
    let garbage = proptest::collection::vec(
        prop_oneof![Just(b'"'), Just(b'='), Just(b';'), Just(b','), 32u8..=255],
        0..60,
    );
    let lines = proptest::collection::vec(garbage, 0..4);
    let expected = "ip=Some(203.0.113.7) ";
    proptest!(|(lines in lines)| {
        let lines: Vec<_> = lines.iter().filter(|line| HeaderValue::from_bytes(line).is_ok()).collect();
        let mut apart: Vec<(&str, &[u8])> = lines.iter().map(|line| ("x-forwarded-for", &line[..])).collect();
        apart.push(("x-forwarded-for", b"203.0.113.7"));
        prop_assert!(caller(&runtime.block_on(ask(&mut first.lock().expect("no panic"), &apart))).starts_with(expected));
        // A line that is no text is one value that means nothing.
        let joined = lines.iter().filter(|line| line.is_ascii()).flat_map(|line| [&line[..], b", "].concat()).chain(*b"203.0.113.7").collect::<Vec<u8>>();
        prop_assert!(caller(&runtime.block_on(ask(&mut first.lock().expect("no panic"), &[("x-forwarded-for", &joined)]))).starts_with(expected));
        let mut forwarded: Vec<(&str, &[u8])> = lines.iter().map(|line| ("forwarded", &line[..])).collect();
        forwarded.push(("forwarded", b"for=203.0.113.7"));
        prop_assert!(caller(&runtime.block_on(ask(&mut second.lock().expect("no panic"), &forwarded))).starts_with(expected));
    });
}
