//! More requests than can be answered: a limit that finds itself sheds what is too much and serves the rest.

use std::time::Duration;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Instance;
use anyhost_tests::load::{Address, Clients, Load, Report};
use http::Request;
use http_body_util::Full;

use crate::operators::{ADMIN, admin_port, samples};

/// Clients at once, each with a request twice a second whose answer takes 0.3 s: many times what the limit
/// begins with.
const CLIENTS: usize = 600;

struct FloodResult {
    report: Report,
    shed: f64,
    /// The most requests that were seen in flight.
    busiest: f64,
}

fn flood(environment: &[(&str, &str)]) -> FloodResult {
    let instance = Instance::start("echo-paas", &[environment, &[ADMIN]].concat());
    let admin = admin_port(&instance);
    let clients = Clients {
        address: Address::Tcp(instance.address()),
        count: CLIENTS,
        keep_alive: true,
        every: Some(Duration::from_millis(500)),
    };
    let load = Load::start(clients, |_| {
        let request = Request::builder().uri("/r/slow").header("host", "test");
        request.body(Full::default()).expect("plain")
    });
    let mut busiest: f64 = 0.0;
    let mut operator = Wire::to(admin);
    while load.requests() < 3_000 {
        let now = samples(&operator.get("/metrics"));
        busiest = busiest.max(now["http_server_active_requests"]);
    }
    // The liveness probe succeeds during the flood.
    assert_eq!(Wire::to(instance.port).get("/livez").status, 200);
    assert_eq!(Wire::to(instance.port).get("/readyz").status, 200);
    let report = load.finish();
    let shed = samples(&operator.get("/metrics"))["http_server_requests_shed_total"];
    FloodResult { report, shed, busiest }
}

#[test]
fn a_limit_that_finds_itself_sheds_a_flood_and_without_one_everything_is_let_in() {
    let FloodResult { report, shed, busiest } = flood(&[("MAX_IN_FLIGHT", "auto")]);
    // Every request that was not answered was refused; none failed otherwise.
    let refused = report.failures.get("GET /r/slow: 503 Service Unavailable").copied();
    assert_eq!(refused, Some(report.failed()), "{report}");
    assert!(shed >= 1.0 && shed as u64 == report.failed(), "{shed} shed; {report}");
    assert!(report.requests > report.failed(), "nobody was served: {report}");

    let free = flood(&[]);
    println!("with a limit: {report}; at most {busiest} in flight");
    println!("without: {}; at most {} in flight", free.report, free.busiest);
    assert_eq!((free.shed, free.report.failed()), (0.0, 0), "{}", free.report);
    assert!(free.busiest > busiest, "{} in flight without a limit, {busiest} with", free.busiest);
}
