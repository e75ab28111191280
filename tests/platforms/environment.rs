//! The life of a function under AWS's own supervisor: its start, its deaths, and its end.

use anyhost_tests::process::{PATIENCE, Signal};
use anyhost_tests::servers::{Postgres, port};
use anyhost_tests::wait::eventually;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::runtime::{Builder, Runtime};

use crate::emulator::Emulator;
use crate::events::{Answer, get};
use crate::notes;

#[test]
fn invocations_one_after_the_other_share_one_process() {
    let emulator = Emulator::start("echo-lambda", &[]);
    assert_eq!(emulator.function(), None, "the emulator starts it with the first invocation");
    Answer::new(&emulator.invoke(&get("/1"))).seen();
    let function = emulator.function();
    assert!(function.is_some());
    for path in ["/2", "/3", "/4"] {
        assert_eq!(Answer::new(&emulator.invoke(&get(path))).seen().path, path);
        assert_eq!(emulator.function(), function);
    }
}

#[test]
fn a_failed_start_is_reported_with_its_type_and_its_message() {
    let emulator = Emulator::start("notes-lambda", &[("DATABASE_URL", "nonsense")]);
    let answer = emulator.invoke(&get("/notes"));
    let Answer(error) = Answer::new(&answer);
    assert_eq!(error["errorType"], "Runtime.InvalidConfiguration", "{error}");
    let message = error["errorMessage"].as_str().unwrap_or_default();
    assert!(message.starts_with("DATABASE_URL: expected a URL"), "{error}");
    assert!(!message.contains("nonsense"), "what may be a secret is not repeated: {error}");
}

#[test]
fn a_database_that_is_away_fails_the_start_and_says_so() {
    let nobody = format!("postgres://postgres@127.0.0.1:{}/x", port());
    let environment = [("DATABASE_URL", nobody.as_str()), ("DATABASE_ACQUIRE_TIMEOUT", "1s")];
    let emulator = Emulator::start("notes-lambda", &environment);
    let Answer(error) = Answer::new(&emulator.invoke(&get("/notes")));
    assert_eq!(error["errorType"], "Runtime.DependencyUnavailable", "{error}");
}

#[test]
fn a_function_that_dies_loses_one_invocation_and_is_started_again_by_the_next() {
    let database = notes::database(Postgres::shared());
    let emulator = Emulator::start("notes-lambda", &[("DATABASE_URL", &database)]);
    let lock = Lock::new(&database);
    let (lost, first) = std::thread::scope(|scope| {
        let invocation = scope.spawn(|| emulator.invoke(&get("/notes")));
        lock.wait_until_somebody_waits();
        let first = emulator.function();
        emulator.signal(Signal::KILL);
        (invocation.join().unwrap(), first)
    });
    let Answer(error) = Answer::new(&lost.expect(502));
    assert_eq!(error["errorType"], "Runtime.ExitError", "{error}");
    drop(lock);
    assert_eq!(Answer::new(&emulator.invoke(&get("/notes"))).status(), 200);
    assert_ne!(emulator.function(), first);
}

#[test]
fn a_request_that_takes_too_long_is_a_504_before_lambda_ends_the_process() {
    let database = notes::database(Postgres::shared());
    let environment = [("DATABASE_URL", database.as_str()), ("AWS_LAMBDA_FUNCTION_TIMEOUT", "2")];
    let emulator = Emulator::start("notes-lambda", &environment);
    assert_eq!(Answer::new(&emulator.invoke(&get("/notes"))).status(), 200);
    let function = emulator.function();
    let lock = Lock::new(&database);
    Answer::new(&emulator.invoke(&get("/notes"))).problem(504);
    drop(lock);
    assert_eq!(Answer::new(&emulator.invoke(&get("/notes"))).status(), 200);
    assert_eq!(emulator.function(), function, "the process lives on");
}

#[test]
fn a_function_that_hangs_is_ended_by_lambda_and_started_again() {
    let emulator = Emulator::start("echo-lambda", &[("AWS_LAMBDA_FUNCTION_TIMEOUT", "1")]);
    Answer::new(&emulator.invoke(&get("/warm"))).seen();
    let first = emulator.function().unwrap();
    emulator.signal(Signal::STOP);
    let timed_out = emulator.invoke(&get("/never"));
    let words = String::from_utf8_lossy(&timed_out.body).into_owned();
    assert!(words.contains("Task timed out after 1.00 seconds"), "{words}");
    Answer::new(&emulator.invoke(&get("/again"))).seen();
    assert_ne!(emulator.function(), Some(first));
}

#[test]
fn an_answer_over_six_mebibytes_is_a_problem_and_one_line_in_the_log() {
    let emulator = Emulator::start("echo-lambda", &[]);
    Answer::new(&emulator.invoke(&get("/r/big7mb"))).problem(500);
    emulator.process().wait_for_line(&["6291456"]);
    let function = emulator.function();
    Answer::new(&emulator.invoke(&get("/next"))).seen();
    assert_eq!(emulator.function(), function);
}

/// Tools that package functions may make a panic abort the process: this is the program they packaged.
#[test]
fn a_panic_in_the_released_program_is_one_500_and_the_process_lives() {
    let emulator = Emulator::start("echo-lambda", &[]);
    Answer::new(&emulator.invoke(&get("/warm"))).seen();
    let function = emulator.function();
    Answer::new(&emulator.invoke(&get("/r/panic"))).problem(500);
    Answer::new(&emulator.invoke(&get("/next"))).seen();
    assert_eq!(emulator.function(), function);
}

#[test]
fn what_is_no_http_event_fails_the_invocation_and_not_the_process() {
    let emulator = Emulator::start("echo-lambda", &[]);
    for event in [serde_json::json!({ "Records": [] }), serde_json::json!("text"), Value::Null] {
        let Answer(error) = Answer::new(&emulator.invoke(&event));
        assert!(error["errorType"].is_string(), "{event}: {error}");
        assert!(error["statusCode"].is_null(), "{event}: {error}");
    }
    let function = emulator.function();
    Answer::new(&emulator.invoke(&get("/next"))).seen();
    assert_eq!(emulator.function(), function);
}

#[test]
fn a_streamed_answer_is_a_prelude_eight_zeros_and_the_body() {
    let emulator = Emulator::start("echo-lambda", &[("RESPONSE_MODE", "streaming")]);
    let raw = emulator.invoke(&get("/r/twocookies")).body;
    let end = raw.windows(8).position(|bytes| bytes == [0; 8]).expect("eight zeros");
    let prelude: Value = serde_json::from_slice(&raw[..end]).expect("the prelude is JSON");
    assert_eq!(prelude["statusCode"], 200);
    let cookies = ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2; Path=/"];
    assert_eq!(prelude["cookies"], serde_json::json!(cookies));

    let raw = emulator.invoke(&get("/r/text")).body;
    assert!(raw.ends_with(&[&[0; 8], "héllo".as_bytes()].concat()));
}

#[test]
fn an_environment_that_ends_takes_leave_of_its_database() {
    // A server that tells when a client goes without a word.
    let server = Postgres::start(&["log_min_messages=debug1"]);
    let database = notes::database(&server);
    let emulator = Emulator::start("notes-lambda", &[("DATABASE_URL", &database)]);
    assert_eq!(Answer::new(&emulator.invoke(&get("/notes"))).status(), 200);
    let connections = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'",
        database.rsplit('/').next().unwrap()
    );
    assert_ne!(server.sql(&connections), "0");
    emulator.process().signal(Signal::TERM);
    emulator.process().wait_for_exit(PATIENCE);
    eventually("no connection is left", || (server.sql(&connections) == "0").then_some(()));
    let log = server.log();
    let silent = log.lines().filter(|line| line.contains("unexpected EOF on client connection"));
    assert_eq!(silent.collect::<Vec<_>>(), [""; 0]);
}

/// SIGTERM reaches a function only if an extension is registered, which ours does by itself.
#[test]
fn a_running_invocation_is_answered_after_sigterm() {
    let database = notes::database(Postgres::shared());
    let emulator = Emulator::start("notes-lambda", &[("DATABASE_URL", &database)]);
    let lock = Lock::new(&database);
    let answered = std::thread::scope(|scope| {
        let invocation = scope.spawn(|| emulator.invoke(&get("/notes")));
        lock.wait_until_somebody_waits();
        emulator.signal(Signal::TERM);
        drop(lock);
        invocation.join().unwrap()
    });
    assert_eq!(Answer::new(&answered).status(), 200);
    let log = emulator.process().log().text();
    assert_eq!(
        log.matches("INIT START").count(),
        1,
        "answered by the process that was told: {log}"
    );
    emulator.process().wait_for_line(&["exited: exit status 0"]);
}

/// The notes of a database of the shared server, locked against other sessions until this is dropped.
struct Lock {
    database: String,
    // Declared before the runtime, so that it is dropped first.
    _connection: PgConnection,
    _runtime: Runtime,
}

impl Lock {
    fn new(database: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(async {
            let mut connection = PgConnection::connect(database).await.unwrap();
            sqlx::raw_sql("BEGIN; LOCK TABLE notes").execute(&mut connection).await.unwrap();
            connection
        });
        let database = database.rsplit('/').next().unwrap().to_owned();
        Self { database, _connection: connection, _runtime: runtime }
    }

    fn wait_until_somebody_waits(&self) {
        let waiting = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock'",
            self.database
        );
        eventually("a query waits for the lock", || {
            (Postgres::shared().sql(&waiting) != "0").then_some(())
        });
    }
}
