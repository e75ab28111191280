//! Idle connections: if the router does not close them first, a request is lost now and then.

use std::time::Duration;

use anyhost_tests::fleet::Instance;
use anyhost_tests::load::{Address, Clients, Load, Report};
use anyhost_tests::servers::{Mode, Nginx, Proxy};
use http::Request;
use http_body_util::Full;

/// How long the shorter side keeps an idle connection, and how long clients pause.
const IDLE: Duration = Duration::from_millis(200);

/// The delay between the router and the program, in which a request and a close can cross.
const DISTANCE: Duration = Duration::from_millis(20);

const REQUESTS: u64 = 500;

#[test]
fn a_router_that_closes_first_loses_no_request() {
    let report = behind_nginx("keepalive_timeout 200ms;", &[]);
    println!("the router closes first: {report}");
    assert_eq!(report.failed(), 0, "{report}");
}

/// The control, and the limit that no server can mend: HTTP/1.1 has no word for "this connection ends now",
/// so a request that is on its way when an idle one is closed is lost. Hence the 620 seconds.
#[test]
fn a_router_that_keeps_connections_longer_loses_requests() {
    let report = behind_nginx("keepalive_timeout 60s;", &[("KEEP_ALIVE", "200ms")]);
    println!("the program closes first: {report}");
    assert!(report.failed() > 0, "{report}");
}

fn behind_nginx(words: &'static str, environment: &[(&str, &str)]) -> Report {
    let instance = Instance::start("echo-paas", environment);
    let network = Proxy::start(instance.port);
    network.set(Mode::Delay(DISTANCE));
    let nginx = Nginx::start_with(&[network.port()], words);
    let clients = Clients {
        address: Address::Unix(nginx.socket()),
        count: 8,
        keep_alive: false,
        every: Some(IDLE),
    };
    let load = Load::start(clients, |_| {
        Request::post("/r/text").header("host", "test").body(Full::default()).expect("plain")
    });
    load.wait_for(REQUESTS);
    load.finish()
}
