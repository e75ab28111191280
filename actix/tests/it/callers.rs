//! The caller is the one that the host trusts, whatever the request's headers say.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::{App, HttpRequest, web};
use anyhost_core::{Context, Request, Scheme};

use crate::{RunningApp, application, get, text, with};

application!(Who, App::new().default_service(web::to(who)));

async fn who(request: HttpRequest) -> String {
    let peer = request.peer_addr().map(|address| address.ip().to_string());
    let forwarded = request.headers().get("x-forwarded-for").map(|value| value.len());
    let info = request.connection_info();
    format!(
        "{}://{} {} {} {}",
        info.scheme(),
        info.host(),
        info.realip_remote_addr().unwrap_or("-"),
        peer.as_deref().unwrap_or("-"),
        forwarded.unwrap_or_default(),
    )
}

fn from(request: Request, address: Option<IpAddr>, scheme: Scheme, host: &str) -> Request {
    let mut request = request;
    let context =
        Context::fresh().with_client_ip(address).with_scheme(scheme).with_host(Some(host.into()));
    request.extensions_mut().insert(context);
    request
}

const CLIENT: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)));

#[tokio::test]
async fn the_host_says_who_calls() {
    let who = RunningApp::<Who>::start().await;
    let named = |host| with(get("/"), "host", host);
    for (request, expected) in [
        (
            from(named("shop.example"), CLIENT, Scheme::Http, "shop.example"),
            "http://shop.example 203.0.113.9 203.0.113.9 0",
        ),
        (
            from(named("inner"), CLIENT, Scheme::Https, "shop.example"),
            "https://shop.example 203.0.113.9 203.0.113.9 0",
        ),
        (
            from(named("inner"), None, Scheme::Https, "shop.example:8443"),
            "https://shop.example:8443 - - 0",
        ),
        (
            from(get("http://other/"), CLIENT, Scheme::Http, "shop.example"),
            "http://shop.example 203.0.113.9 203.0.113.9 0",
        ),
    ] {
        assert_eq!(text(who.send(request).await).await, expected);
    }
}

#[tokio::test]
async fn a_forged_header_is_seen_and_not_believed() {
    let who = RunningApp::<Who>::start().await;
    let mut request = with(get("/"), "host", "shop.example");
    for (name, value) in [
        ("forwarded", "for=198.51.100.66;proto=gopher;host=evil.example"),
        ("x-forwarded-for", "198.51.100.66"),
        ("x-forwarded-proto", "gopher"),
        ("x-forwarded-host", "evil.example"),
    ] {
        request = with(request, name, value);
    }
    let request = from(request, CLIENT, Scheme::Http, "shop.example");
    let expected = "http://shop.example 203.0.113.9 203.0.113.9 13";
    assert_eq!(text(who.send(request).await).await, expected);
}

#[tokio::test]
async fn a_host_name_cannot_smuggle_a_scheme() {
    let who = RunningApp::<Who>::start().await;
    let odd = "shop.example;proto=gopher,for=1.2.3.4";
    let request = from(with(get("/"), "host", odd), CLIENT, Scheme::Https, odd);
    let expected = format!("https://{odd} 203.0.113.9 203.0.113.9 0");
    assert_eq!(text(who.send(request).await).await, expected);
}
