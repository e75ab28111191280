//! A process that was frozen finds out what has become of its connections, at the price of one round trip.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhost_tests::process::{Process, Signal};
use anyhost_tests::servers::{Postgres, Proxy};
use anyhost_tests::wait::pause;

const MS: Duration = Duration::from_millis(1);

/// A process of its own that can be frozen.
struct Environment {
    process: Process,
    port: u16,
}

/// What came of a request: how long the App took, and which backend served it.
#[derive(Debug)]
struct Served {
    took: Duration,
    backend: Result<String, String>,
}

impl Environment {
    fn start(how: &str, url: &str) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_environment"));
        let process = Process::start(program, &[how, url], Path::new("/"), &[]);
        let line = process.wait_for_line(&["listening on"]);
        let port = line.rsplit_once(' ').unwrap().1.parse().unwrap();
        Self { process, port }
    }

    fn request(&self) -> Served {
        let mut text = String::new();
        let mut answer = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        answer.read_to_string(&mut text).unwrap();
        let mut words = text.splitn(3, ' ');
        let ok = words.next() == Some("ok");
        let took = Duration::from_micros(words.next().unwrap().parse().unwrap());
        let rest = words.next().unwrap().to_owned();
        Served { took, backend: if ok { Ok(rest) } else { Err(rest) } }
    }

    /// Lets something happen that the process cannot see.
    fn frozen(&self, meanwhile: impl FnOnce()) {
        self.process.signal(Signal::STOP);
        meanwhile();
        self.process.signal(Signal::CONT);
    }
}

/// How connections are held, how often that is frozen, and for how long: on a long-running host nobody says
/// that there was a freeze, only the clocks do, and they count from half a second on.
const KINDS: [(&str, usize, Duration); 2] =
    [("ours", 20, Duration::ZERO), ("ours-long-running", 4, Duration::from_millis(550))];

#[test]
fn twenty_freezes_in_which_every_backend_is_terminated_cause_no_error() {
    let server = Postgres::start(&[]);
    for (how, rounds, frozen) in KINDS {
        let environment = Environment::start(how, &server.url());
        environment.request().backend.unwrap();
        for round in 0..rounds {
            environment.frozen(|| {
                server.terminate_all();
                pause(frozen);
            });
            let Served { took, backend } = environment.request();
            backend.unwrap_or_else(|error| panic!("{how}, freeze {round}: {error}"));
            assert!(took < Duration::from_secs(1), "{how}, freeze {round}: {took:?}");
        }
    }
    // On a connection that is simply kept, the first request after the first freeze fails.
    let control = Environment::start("bare", &server.url());
    control.request().backend.unwrap();
    control.frozen(|| {
        server.terminate_all();
    });
    control.request().backend.unwrap_err();
}

#[test]
fn twenty_freezes_in_which_the_network_forgets_the_connection_cause_no_error() {
    let server = Postgres::start(&[]);
    let proxy = Proxy::start(server.port());
    let url = proxy.url(&server.url());
    for (how, rounds, frozen) in KINDS {
        let environment = Environment::start(how, &url);
        environment.request().backend.unwrap();
        for round in 0..rounds {
            environment.frozen(|| {
                proxy.forget();
                pause(frozen);
            });
            let Served { took, backend } = environment.request();
            backend.unwrap_or_else(|error| panic!("{how}, freeze {round}: {error}"));
            assert!(took < Duration::from_secs(1), "{how}, freeze {round}: {took:?}");
        }
    }
    // sqlx's pool asks too, and waits for the answer until its whole patience is over.
    let control = Environment::start("sqlx", &url);
    control.request().backend.unwrap();
    control.frozen(|| proxy.forget());
    let Served { took, backend } = control.request();
    assert!(backend.is_err() && took > Duration::from_secs(4), "{backend:?} {took:?}");
}

#[test]
fn a_freeze_that_the_connection_survives_costs_one_round_trip() {
    let server = Postgres::start(&[]);
    let proxy = Proxy::start(server.port());
    let environment = Environment::start("ours", &proxy.url(&server.url()));
    let before = environment.request().backend.unwrap();
    for _ in 0..3 {
        let (trips, accepted) = (proxy.round_trips(), proxy.accepted());
        environment.frozen(|| pause(100 * MS));
        assert_eq!(environment.request().backend.unwrap(), before);
        assert_eq!(proxy.round_trips() - trips, 2, "one ping, one statement");
        assert_eq!(proxy.accepted(), accepted, "nothing was opened");
    }
}

#[test]
fn a_freeze_right_after_the_answer_tears_nothing() {
    let server = Postgres::start(&[]);
    let environment = Environment::start("ours", &server.url());
    for _ in 0..5 {
        environment.request().backend.unwrap();
        environment.frozen(|| {
            server.terminate_all();
        });
        let Served { took, backend } = environment.request();
        assert!(backend.is_ok() && took < 500 * MS, "{backend:?} {took:?}");
    }
}
