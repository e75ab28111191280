//! Interfaces for operators: metrics and details on a separate port, probes at configured paths, the access log.

use std::collections::HashMap;

use anyhost_tests::connection::{Answer, Wire};
use anyhost_tests::fleet::{Instance, launch};
use anyhost_tests::process::{PATIENCE, Signal};
use anyhost_tests::servers::Postgres;
use anyhost_tests::wait::eventually;
use prometheus_parse::{Scrape, Value as Number};
use serde_json::Value;

/// A port of the system's choice for operators.
pub(crate) const ADMIN: (&str, &str) = ("ADMIN_LISTEN", "127.0.0.1:0");

/// The port on which a process answers operators.
#[track_caller]
pub(crate) fn admin_port(instance: &Instance) -> u16 {
    let line = instance.process.wait_for_line(&["operators are answered on"]);
    let (_, rest) = line.split_once("answered on 127.0.0.1:").expect("a loopback address");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a port")
}

/// Notes on a server of its own, with its operators' port.
fn notes() -> (Postgres, Instance, u16) {
    let server = Postgres::start(&["max_connections=30"]);
    let url = server.database();
    let (migration, _folder) = launch("notes-paas", &["migrate"], &[("DATABASE_URL", &url)]);
    assert!(migration.wait_for_exit(PATIENCE).success());
    let instance = Instance::start("notes-paas", &[ADMIN, ("DATABASE_URL", &url)]);
    let admin = admin_port(&instance);
    (server, instance, admin)
}

/// The samples of a page of metrics, each by its name and its labels.
pub(crate) fn samples(page: &Answer) -> HashMap<String, f64> {
    assert!(page.says("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", page.head);
    let lines = page.body.lines().map(|line| Ok(line.to_owned()));
    let scrape = Scrape::parse(lines).expect("Prometheus can read it");
    let mut samples = HashMap::new();
    for sample in scrape.samples {
        let mut labels: Vec<_> = sample.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        labels.sort();
        let key = [vec![sample.metric.clone()], labels].concat().join(" ");
        let number = match &sample.value {
            Number::Counter(number) | Number::Gauge(number) | Number::Untyped(number) => *number,
            Number::Histogram(buckets) => {
                assert!(buckets.windows(2).all(|two| two[0].count <= two[1].count), "{key}");
                buckets.last().expect("the one without a bound").count
            }
            Number::Summary(_) => panic!("{key}: there are no summaries"),
        };
        assert!(samples.insert(key.clone(), number).is_none(), "{key} is there twice");
    }
    samples
}

#[test]
fn metrics_count_what_happens_and_stay_off_the_public_port() {
    let (_server, instance, admin) = notes();

    let mut wire = Wire::to(instance.port);
    for _ in 0..5 {
        assert_eq!(wire.get("/notes").status, 200);
    }
    assert_eq!(wire.get("/no-such-page").status, 404);
    assert_eq!(wire.get("/metrics").status, 404, "the public port has no metrics");
    // A client has its response a moment before the request is over.
    let samples = eventually("the last request is over", || {
        let samples = samples(&Wire::to(admin).get("/metrics"));
        (samples["http_server_active_requests"] == 0.0).then_some(samples)
    });
    let requests = |class| {
        let labels = format!("http_request_method=GET http_response_status_class={class}");
        samples.get(&format!("http_server_requests_total {labels}")).copied()
    };
    assert_eq!((requests("2xx"), requests("4xx")), (Some(5.0), Some(2.0)), "probes are no work");
    let answered = |class, route| {
        let labels = format!("http_request_method=GET http_response_status_class={class}{route}");
        samples.get(&format!("http_server_request_duration_seconds {labels}")).copied()
    };
    assert_eq!(answered("2xx", " http_route=/notes"), Some(5.0), "{samples:?}");
    assert_eq!(answered("4xx", ""), Some(2.0), "no route matched: {samples:?}");
    assert!(samples["process_cpu_seconds_total"] > 0.0 && samples["process_open_fds"] > 0.0);
    assert!(samples.keys().any(|key| key.starts_with("anyhost_build_info platform=generic ")));
    assert_eq!(samples["http_server_requests_shed_total"], 0.0);
    assert_eq!(samples["anyhost_ready"], 1.0);
    assert!(samples["http_server_open_connections"] >= 1.0);
    let used = |state: &str| {
        let find = |key: &&String| {
            key.starts_with("db_client_connection_count ")
                && key.contains(&format!("db_client_connection_state={state}"))
        };
        let key = samples.keys().find(find).unwrap_or_else(|| panic!("no {state}"));
        samples[key]
    };
    assert!(used("idle") + used("used") >= 1.0, "{samples:?}");

    instance.tell(Signal::TERM);
    assert_eq!(instance.exit_code(PATIENCE), 0);
    let report = instance.process.wait_for_line(&["\"drained\""]);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!((&report["in_flight"], &report["aborted"]), (&0.into(), &0.into()), "{report}");
    assert!(report["database_connections"].as_u64() >= Some(1), "{report}");
    assert_eq!(report["database_connections_left"], 0, "{report}");
    assert!(report["seconds"].is_f64(), "{report}");
}

#[test]
fn readiness_has_its_reason_on_the_admin_port_alone() {
    let (server, instance, admin) = notes();
    let detail = |path| {
        let answer = Wire::to(admin).get(path);
        let detail: Value = serde_json::from_str(&answer.body).expect("JSON");
        (answer.status, detail)
    };
    let (status, ready) = detail("/readyz");
    assert_eq!((status, &ready["status"]), (200, &"ready".into()), "{ready}");
    assert_eq!(ready["databases"][0]["system"], "postgresql");
    assert_eq!((detail("/livez").0, detail("/startupz").0), (200, 200));
    assert_eq!(Wire::to(instance.port).get("/readyz").body, "ready\n");

    server.stop();
    let reason = eventually("it is not ready", || {
        let (status, detail) = detail("/readyz");
        (status == 503).then(|| detail["reason"].as_str().expect("a reason").to_owned())
    });
    assert!(!reason.is_empty() && !reason.contains("password"), "{reason}");
    let public = Wire::to(instance.port).get("/readyz");
    assert_eq!((public.status, public.body.as_str()), (503, "a database does not answer\n"));
    assert!(samples(&Wire::to(admin).get("/metrics"))["anyhost_ready"] < 1.0);
    // It is alive and has started, whatever its database does.
    for path in ["/livez", "/startupz"] {
        assert_eq!(Wire::to(instance.port).get(path).status, 200, "{path}");
    }
}

#[test]
fn connections_that_say_nothing_leave_operators_room() {
    let instance = Instance::start("echo-paas", &[ADMIN]);
    let admin = admin_port(&instance);
    // More than the port takes at once: after a request, and in the middle of one.
    let open = |head: &str| -> Vec<Wire> {
        let connect = || {
            let mut wire = Wire::to(admin);
            wire.write(head);
            wire
        };
        (0..300).map(|_| connect()).collect()
    };
    let idle = open("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(Wire::to(admin).get("/metrics").status, 200);
    let mut unfinished = open("GET /livez HTTP/1.1\r\nhost: te");
    assert_eq!(Wire::to(admin).get("/readyz").status, 200);
    // The youngest of them is not the one that had to go.
    let last = unfinished.last_mut().expect("there are some");
    last.write("st\r\n\r\n");
    assert_eq!(last.answer().status, 200);
    drop(idle);
}

#[test]
fn probes_answer_on_the_paths_that_are_set_and_on_no_others() {
    let environment = [("LIVEZ_PATH", "/up"), ("STARTUPZ_PATH", "off")];
    let instance = Instance::start("echo-paas", &environment);
    let mut wire = Wire::to(instance.port);
    assert_eq!(wire.get("/up").body, "ok\n");
    for path in ["/livez", "/startupz"] {
        // The App's own.
        let seen: Value = serde_json::from_str(&wire.get(path).body).expect("the echo");
        assert_eq!(seen["path"], path);
    }
}

#[test]
fn an_access_line_is_written_for_each_request_where_it_is_asked_for() {
    let instance = Instance::start("echo-paas", &[("ACCESS_LOG", "on")]);
    let answer = Wire::to(instance.port).get("/shelf?secret=1");
    let line = instance.process.wait_for_line(&["answered", "/shelf"]);
    let event: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&event["method"], &event["path"]), (&"GET".into(), &"/shelf".into()));
    assert_eq!((&event["status"], &event["client"]), (&200.into(), &"127.0.0.1".into()));
    assert!(event["seconds"].is_f64() && event["target"] == "access", "{line}");
    assert!(
        answer.says(&format!("x-request-id: {}", event["request_id"].as_str().expect("an id")))
    );
    assert!(!line.contains("secret"), "a query may hold what no log should: {line}");

    let silent = Instance::start("echo-paas", &[]);
    assert_eq!(Wire::to(silent.port).get("/shelf").status, 200);
    assert!(!silent.process.log().text().contains("answered"), "{}", silent.process.log().text());
}
