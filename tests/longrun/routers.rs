//! Routers with timeouts, and hosts that are routers themselves: which side answers, and what the App sees.

use std::thread;
use std::time::Duration;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{Instance, Notebook, launch, port_of};
use anyhost_tests::process::{PATIENCE, Signal};
use anyhost_tests::servers::{Haproxy, port};
use anyhost_tests::wait::eventually;
use anyhost_tests::wire::SeenRequest;

/// How long the router waits for an answer.
const ROUTER: Duration = Duration::from_secs(12);

/// A database that keeps a request waiting for longer than the router does. With a deadline of its own the
/// App's process answers first, in words that a client can use; without, the router does.
#[test]
fn the_process_answers_before_its_router_gives_up() {
    let notebook = Notebook::new(30, 12);
    for (deadline, ours) in [(Some(("REQUEST_TIMEOUT", "2s")), true), (None, false)] {
        let environment = [("DATABASE_URL", notebook.url.as_str())];
        let environment = environment.into_iter().chain(deadline).collect::<Vec<_>>();
        let instance = Instance::start("notes-paas", &environment);
        let haproxy = Haproxy::patient(&[instance.port], ROUTER);
        haproxy.wait_until_it_knows(&[instance.port]);
        thread::scope(|scope| {
            scope.spawn(|| {
                // Ends with the sleep or with the connection, whichever comes first.
                let locked = "BEGIN; LOCK TABLE notes; SELECT pg_sleep(60); COMMIT";
                let _ = std::panic::catch_unwind(|| notebook.sql(locked));
            });
            let locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' \
                         AND relation = 'notes'::regclass AND granted";
            eventually("the table is locked", || (notebook.sql(locks) == "1").then_some(()));
            let answer = Wire::to(haproxy.address().port()).get("/notes");
            let free = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LOCK TABLE notes; SELECT pg_sleep%' AND pid <> pg_backend_pid()";
            notebook.sql(free);
            assert_eq!(answer.status, 504, "{}", answer.head);
            let problem = answer.says("content-type: application/problem+json");
            assert_eq!(problem, ours, "{}\n{}", answer.head, answer.body);
        });
    }
}

/// Azure's functions host starts the program, tells it a port in a variable of its own and forwards requests
/// as plain HTTP. No functions host runs here: what is shown is the program's side of that contract.
#[test]
fn azures_functions_host_finds_the_program_where_it_said() {
    let (told, other) = (port(), port());
    let environment = [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", told.to_string()),
        ("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", "w".into()),
        ("PORT", other.to_string()),
        ("WEBSITE_INSTANCE_ID", "i-1".into()),
    ];
    let environment: Vec<_> = environment.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let (process, _folder) = launch("echo-paas", &[], &environment);
    assert_eq!(port_of(&process), told);
    assert!(Wire::try_to(([127, 0, 0, 1], other).into()).is_err(), "PORT is somebody else's");
    let mut host = Wire::to(told);
    eventually("it is ready", || (host.get("/readyz").status == 200).then_some(()));
    host.write(
        "POST /api/shelf/tall%20glass?size=s HTTP/1.1\r\nHost: shop.azurewebsites.net\r\n\
         X-Forwarded-For: 203.0.113.7:4711\r\nX-Forwarded-Proto: https\r\nX-ARR-LOG-ID: a\r\n\
         Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    );
    let seen = SeenRequest::parse(host.answer().body.as_bytes());
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/api/shelf/tall%20glass"));
    assert_eq!((seen.query.as_deref(), seen.body.as_slice()), (Some("size=s"), &b"hello"[..]));
    assert_eq!(seen.host.as_deref(), Some("shop.azurewebsites.net"));
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0));

    let (check, _folder) = launch("echo-paas", &["check"], &environment);
    assert!(check.wait_for_exit(PATIENCE).success());
    let report = check.log().text();
    assert!(report.contains("azure_functions") && report.contains("i-1"), "{report}");
}
