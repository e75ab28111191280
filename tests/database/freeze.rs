//! A process that was frozen finds out what has become of its connections, at the price of one round trip.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhost_tests::process::{Process, Signal};
use anyhost_tests::servers::{Postgres, Proxy};
use anyhost_tests::wait::{eventually, pause};

use crate::tls::encrypted;

const MS: Duration = Duration::from_millis(1);

/// A process of its own that can be frozen.
struct Environment {
    process: Process,
    port: u16,
}

impl Environment {
    fn start(how: &str, url: &str) -> Self {
        Self::start_with(how, url, &[])
    }

    fn start_with(how: &str, url: &str, settings: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_environment"));
        let arguments = [&[how, url], settings].concat();
        let process = Process::start(program, &arguments, Path::new("/"), &[]);
        let line = process.wait_for_line(&["listening on"]);
        let port = line.rsplit_once(' ').unwrap().1.parse().unwrap();
        Self { process, port }
    }

    /// The backend that served a request, or why none did.
    fn request(&self) -> Result<String, String> {
        let mut text = String::new();
        let mut answer = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        answer.read_to_string(&mut text).unwrap();
        match text.split_once(' ').unwrap() {
            ("ok", backend) => Ok(backend.to_owned()),
            (_, error) => Err(error.to_owned()),
        }
    }

    /// Changes something that the frozen process cannot notice.
    fn frozen(&self, meanwhile: impl FnOnce()) {
        self.process.signal(Signal::STOP);
        meanwhile();
        self.process.signal(Signal::CONT);
    }
}

/// How connections are held, how often that is frozen, and for how long: on a long-running host nothing reports
/// that there was a freeze, only the clocks do, and they count from half a second on.
const KINDS: [(&str, usize, Duration); 2] =
    [("ours", 20, Duration::ZERO), ("ours-long-running", 4, Duration::from_millis(550))];

#[test]
fn twenty_freezes_in_which_every_backend_is_terminated_cause_no_error() {
    let server = Postgres::start(&[]);
    for (how, rounds, frozen) in KINDS {
        let environment = Environment::start(how, &server.url());
        environment.request().unwrap();
        for round in 0..rounds {
            environment.frozen(|| {
                server.terminate_all();
                pause(frozen);
            });
            let served = environment.request();
            served.unwrap_or_else(|error| panic!("{how}, freeze {round}: {error}"));
        }
    }
    // On a connection that is simply kept, the first request after the first freeze fails.
    let control = Environment::start("bare", &server.url());
    control.request().unwrap();
    control.frozen(|| {
        server.terminate_all();
    });
    control.request().unwrap_err();
}

#[test]
fn twenty_freezes_in_which_the_network_forgets_the_connection_cause_no_error() {
    let server = Postgres::start(&[]);
    let proxy = Proxy::start(server.port());
    let url = proxy.url(&server.url());
    for (how, rounds, frozen) in KINDS {
        let environment = Environment::start(how, &url);
        environment.request().unwrap();
        for round in 0..rounds {
            environment.frozen(|| {
                proxy.forget();
                pause(frozen);
            });
            let served = environment.request();
            served.unwrap_or_else(|error| panic!("{how}, freeze {round}: {error}"));
        }
    }
    // sqlx's pool asks too, and waits for the answer until its whole patience is over.
    let control = Environment::start("sqlx", &url);
    control.request().unwrap();
    control.frozen(|| proxy.forget());
    control.request().unwrap_err();
}

#[test]
fn a_freeze_that_the_connection_survives_costs_one_round_trip() {
    let server = Postgres::start(&[]);
    let proxy = Proxy::start(server.port());
    let environment = Environment::start("ours", &proxy.url(&server.url()));
    let before = environment.request().unwrap();
    for _ in 0..3 {
        let (trips, accepted) = (proxy.round_trips(), proxy.accepted());
        environment.frozen(|| pause(100 * MS));
        assert_eq!(environment.request().unwrap(), before);
        assert_eq!(proxy.round_trips() - trips, 2, "one ping, one statement");
        assert_eq!(proxy.accepted(), accepted, "nothing was opened");
    }
}

#[test]
fn a_freeze_right_after_the_answer_tears_nothing() {
    let server = Postgres::start(&[]);
    let environment = Environment::start("ours", &server.url());
    for _ in 0..5 {
        environment.request().unwrap();
        environment.frozen(|| {
            server.terminate_all();
        });
        environment.request().unwrap();
    }
}

#[test]
fn a_connection_that_grew_too_old_in_a_freeze_is_not_used_again() {
    let server = Postgres::start(&[]);
    for (how, _, _) in KINDS {
        let environment =
            Environment::start_with(how, &server.url(), &["DATABASE_MAX_LIFETIME=1s"]);
        let before = environment.request().unwrap();
        environment.frozen(|| pause(1100 * MS));
        let after = environment.request().unwrap();
        assert_ne!(after, before, "{how}");
    }
}

#[test]
fn a_freeze_through_tls_costs_no_error() {
    let (certificates, server) = encrypted();
    let root = certificates.file("root.crt");
    let url = server.url().replace("127.0.0.1", "localhost");
    let url = format!("{url}?sslmode=verify-full&sslrootcert={}", root.display());
    let proxy = Proxy::start(server.port());
    let url = proxy.url(&url);
    for (how, _, frozen) in KINDS {
        let environment = Environment::start(how, &url);
        environment.request().unwrap();
        for round in 0..4 {
            let handshakes = proxy.accepted();
            environment.frozen(|| {
                // Ended with a word, and without.
                if round % 2 == 0 {
                    server.terminate_all();
                } else {
                    proxy.forget();
                }
                pause(frozen);
            });
            let served = environment.request();
            served.unwrap_or_else(|error| panic!("{how}, freeze {round}: {error}"));
            assert_eq!(proxy.accepted() - handshakes, 1, "{how}, freeze {round}");
        }
    }
}

#[test]
fn two_environments_made_of_one_program_are_told_apart() {
    let server = Postgres::start(&[]);
    let two = [0, 1].map(|_| Environment::start("ours", &server.url()));
    let backends = two.each_ref().map(|environment| environment.request().unwrap());
    assert_ne!(backends[0], backends[1], "no connection is shared");
    let names = server.sql(
        "SELECT count(DISTINCT application_name) FROM pg_stat_activity \
         WHERE application_name LIKE 'anyhost/%'",
    );
    assert_eq!(names, "2");
}

#[test]
fn a_transaction_that_was_frozen_in_the_middle_ends_on_the_server() {
    let server = Postgres::start(&[]);
    let at_work = || {
        server.sql(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'anyhost/%' \
             AND xact_start IS NOT NULL",
        )
    };
    let come_to = |what: &str, count: usize| {
        eventually(what, || Some(at_work()).filter(|pids| pids.lines().count() == count))
    };
    let begin = |how: &str| {
        let environment = Environment::start_with(how, &server.url(), &["TRANSACTION=1"]);
        let asked = TcpStream::connect(("127.0.0.1", environment.port)).unwrap();
        (environment, asked)
    };
    // A long-running process is not frozen by its host, and keeps what it has begun: the control.
    let control = begin("ours-long-running");
    let kept = come_to("the control begins", 1);
    control.0.process.signal(Signal::STOP);
    let frozen = begin("ours");
    come_to("it begins", 2);
    frozen.0.process.signal(Signal::STOP);
    assert_eq!(come_to("one of them ends", 1), kept);
}
