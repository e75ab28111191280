//! notes on PostgreSQL, frozen fifty times: what has become of its connection costs one round trip at most.

use std::time::{Duration, Instant};

use anyhost_tests::process::{PATIENCE, Signal};
use anyhost_tests::runtime_api::Freeze;
use anyhost_tests::servers::{Postgres, Proxy};
use anyhost_tests::wait::{eventually, pause};

use crate::function::{Function, content, get};

/// How long a freeze lasts.
const FREEZE: Duration = Duration::from_secs(2);

/// The fate of a frozen environment's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Untouched,
    Terminated,
    Forgotten,
}

/// Environments that are frozen side by side, ten times each.
const ENVIRONMENTS: [Fate; 5] =
    [Fate::Untouched, Fate::Terminated, Fate::Forgotten, Fate::Terminated, Fate::Forgotten];

#[test]
fn fifty_freezes_cost_no_request_and_one_ping_each() {
    let server = Postgres::start(&[]);
    let slowest = std::thread::scope(|scope| {
        let server = &server;
        let environments = ENVIRONMENTS.map(|fate| scope.spawn(move || freeze(server, fate)));
        environments.map(|environment| environment.join().expect("no environment failed"))
    });
    println!("slowest answers after a thaw: {slowest:?}");
}

/// Freezes one environment ten times; how long its slowest first answer took.
fn freeze(server: &Postgres, fate: Fate) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let url = server.database();
    let (_, database) = url.rsplit_once('/').expect("a URL names its database");
    let proxy = Proxy::start(server.port());
    let function = Function::notes(&proxy.url(&url));
    runtime.expect("a runtime can be made").block_on(async {
        let (status, notes) = function.get("/notes").await;
        assert_eq!((status, notes.as_str()), (200, r#"{"notes":[],"next":null}"#));
        let mut slowest = Duration::ZERO;
        for round in 0..10 {
            function.api.polled().await;
            let (spoken, opened) = (proxy.round_trips(), proxy.accepted());
            let frozen = Freeze::new(&function.process);
            match fate {
                Fate::Untouched => {}
                Fate::Terminated => terminate(server, database),
                Fate::Forgotten => proxy.forget(),
            }
            pause(FREEZE);
            let invocation = function.api.send(get("/notes"));
            let thawed = Instant::now();
            drop(frozen);
            let (status, body) = content(&invocation.answer().await);
            slowest = slowest.max(thawed.elapsed());
            assert_eq!(status, 200, "{fate:?}, freeze {round}: {body}");
            if fate == Fate::Untouched {
                assert_eq!(proxy.accepted(), opened, "freeze {round} opened a connection");
                let spoken = proxy.round_trips() - spoken;
                assert!(spoken <= 2, "freeze {round}: {spoken} round trips for a ping and a query");
            }
        }
        function.api.polled().await;
        function.process.signal(Signal::TERM);
        assert_eq!(function.exit(PATIENCE), Some(0));
        let left = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'");
        if fate != Fate::Forgotten {
            // A server takes a moment to notice that a connection was closed.
            eventually("no session is left", || (server.sql(&left) == "0").then_some(()));
        }
        slowest
    })
}

fn terminate(server: &Postgres, database: &str) {
    let ended = server.sql(&format!(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = '{database}'"
    ));
    assert_eq!(ended, "1", "an environment has one connection");
}
