//! The client's address: headers are trusted only from configured proxies and from a platform's router.

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Instance;
use anyhost_tests::wire::SeenRequest;

/// Headers that a client forges, with what the router adds or overwrites.
const LINES: &str = "x-forwarded-for: 198.51.100.66, 203.0.113.7\r\nx-forwarded-proto: https\r\n\
    forwarded: for=198.51.100.66;proto=https;host=evil.example\r\nx-forwarded-host: evil.example\r\n\
    fly-client-ip: 203.0.113.8\r\nx-real-ip: 203.0.113.9\r\nx-request-id: of-the-router-1\r\n";

#[test]
fn unasked_nobody_is_believed_and_on_a_platform_its_router_is() {
    let connection = ("127.0.0.1", "http");
    for (environment, (address, scheme), id) in [
        (&[][..], connection, None),
        (&[("PLATFORM", "kubernetes")], connection, None),
        (&[("PLATFORM", "heroku")], ("203.0.113.7", "https"), Some("of-the-router-1")),
        (&[("PLATFORM", "cloud-run")], ("203.0.113.7", "https"), None),
        (&[("PLATFORM", "fly")], ("203.0.113.8", "https"), None),
        (&[("PLATFORM", "railway")], ("203.0.113.9", "https"), None),
        (&[("PLATFORM", "heroku"), ("TRUSTED_PROXIES", "0")], connection, None),
        (&[("TRUSTED_PROXIES", "10.0.0.0/8")], connection, None),
        (&[("TRUSTED_PROXIES", "127.0.0.1")], ("203.0.113.7", "https"), Some("of-the-router-1")),
        (&[("TRUSTED_PROXIES", "2")], ("198.51.100.66", "https"), Some("of-the-router-1")),
    ] {
        let instance = Instance::start("echo-paas", environment);
        let mut wire = Wire::to(instance.port);
        // Again on one connection: lines that have come before are known.
        for _ in 0..3 {
            wire.write(format!("GET /x HTTP/1.1\r\nhost: a.example\r\n{LINES}\r\n"));
            let seen = SeenRequest::parse(wire.answer().body.as_bytes());
            assert_eq!(seen.client_ip.as_deref(), Some(address), "{environment:?}");
            assert_eq!(seen.scheme, scheme, "{environment:?}");
            assert_eq!(seen.host.as_deref(), Some("a.example"), "{environment:?}");
            assert_eq!(seen.request_id == "of-the-router-1", id.is_some(), "{environment:?}");
            // The headers themselves are the client's and stay.
            assert_eq!(seen.one("x-real-ip"), "203.0.113.9");
        }
    }
}
