//! The log: one JSON object for each line, in every situation.

use std::net::TcpListener;

use anyhost_tests::process::{PATIENCE, Signal};
use serde_json::Value;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{Instance, launch, listening_port_of, port_of};
use anyhost_tests::process::{Process, binary};

#[test]
fn every_event_is_one_line_of_json_even_a_panic() {
    for program in ["echo-paas", "echo-vm"] {
        let instance = Instance::start(program, &[("LOG_LEVEL", "debug"), ("LOG_FORMAT", "json")]);
        assert_eq!(Wire::to(instance.port).get("/r/panic").status, 500);
        let mut broken = Wire::to(instance.port);
        broken.write("GET /r/err HTTP/1.1\r\nhost: test\r\n\r\n");
        broken.rest();
        Wire::to(instance.port).get("/with%0Anewline?a=%0D%0A");
        instance.tell(Signal::TERM);
        assert_eq!(instance.exit_code(PATIENCE), 0);
        let lines = instance.process.log().lines();
        assert!(lines.len() > 3, "{lines:?}");
        for line in &lines {
            let event: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{program}: {error}: {line:?}"));
            assert!(event["timestamp"].is_string() && event["level"].is_string(), "{line}");
        }
        let panicked = lines.iter().find(|line| line.to_ascii_lowercase().contains("panic"));
        assert!(panicked.is_some_and(|line| line.contains("ERROR")), "{lines:?}");
    }
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A panic of a request that a trusted router has named, as a line of the log.
fn panic_line(environment: &[(&str, &str)]) -> String {
    let environment = [environment, &[("TRUSTED_PROXIES", "1")]].concat();
    let instance = Instance::start("echo-paas", &environment);
    let mut wire = Wire::to(instance.port);
    wire.write(format!(
        "GET /r/panic HTTP/1.1\r\nhost: test\r\nx-request-id: of-the-router-1\r\n\
         traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n\r\n"
    ));
    let answer = wire.answer();
    assert!(answer.says("x-request-id: of-the-router-1"), "{}", answer.head);
    instance.process.wait_for_line(&["panic", "of-the-router-1"])
}

#[test]
fn every_line_of_a_request_names_it_in_the_words_of_the_platform() {
    let line = panic_line(&[("PLATFORM", "kubernetes")]);
    let event: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(
        (&event["level"], &event["request_id"]),
        (&"ERROR".into(), &"of-the-router-1".into())
    );
    assert_eq!(event["trace_id"], TRACE);
    assert!(event["timestamp"].is_string() && event["severity"].is_null(), "{line}");

    let line = panic_line(&[
        ("K_SERVICE", "echo"),
        ("GOOGLE_CLOUD_PROJECT", "shop-1"),
        ("TRUSTED_HEADERS", "x-request-id"),
    ]);
    let event: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(event["severity"], "ERROR");
    assert!(event["time"].is_string() && event["message"].is_string(), "{line}");
    let trace = &event["logging.googleapis.com/trace"];
    assert_eq!(*trace, format!("projects/shop-1/traces/{TRACE}"));

    let line = panic_line(&[("LOG_FORMAT", "text")]);
    assert!(line.contains(" ERROR ") && line.contains("request_id=of-the-router-1"), "{line}");
    assert!(line.contains(&format!("trace_id={TRACE}")), "{line}");
}

/// One reason to refuse every request is not one line for each, unless each is asked for.
#[test]
fn requests_that_are_refused_for_one_reason_are_one_line_a_second() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("postgres://nobody@{}/none", silent.local_addr().expect("bound"));
    for (level, all) in [("info", false), ("debug", true)] {
        let environment = [("DATABASE_URL", &*url), ("PORT", "0"), ("LOG_LEVEL", level)];
        let (process, _folder) = launch("notes-paas", &[], &environment);
        let port = listening_port_of(&process);
        let ids: Vec<String> = (0..200)
            .map(|_| {
                let answer = Wire::to(port).get("/notes");
                assert_eq!(answer.status, 503);
                let problem: Value = serde_json::from_str(&answer.body).expect("a problem");
                problem["request_id"].as_str().expect("its id").to_owned()
            })
            .collect();
        process.wait_for_line(&["the service is starting", &ids[0]]);
        if all {
            for id in &ids {
                process.wait_for_line(&["the service is starting", id]);
            }
        } else {
            let lines = process.log().lines();
            let said = lines.iter().filter(|line| line.contains("the service is starting")).count();
            assert!(said < ids.len() / 2, "{said} lines for {} requests", ids.len());
        }
    }
}

/// A line has the journal's prefix if stdout is the stream that the variable names, and only then.
#[test]
fn the_journals_prefix_is_written_to_the_journal_alone() {
    let folder = tempfile::TempDir::new().expect("a folder for temporary files");
    let program = binary("echo-vm").display().to_string();
    let script = "exec 3>&1; export JOURNAL_STREAM=$(/usr/bin/stat -Lc %d:%i /proc/self/fd/3); exec \"$0\" 3>&-";
    let listen = ("LISTEN", "127.0.0.1:0");
    let shell = std::path::Path::new("/bin/sh");
    let process = Process::start(shell, &["-c", script, &program], folder.path(), &[listen]);
    let port = port_of(&process);
    assert_eq!(Wire::to(port).get("/r/panic").status, 500);
    let line = process.wait_for_line(&["panic"]);
    assert!(line.starts_with("<3>"), "{line}");
    let lines = process.log().lines();
    assert!(
        lines.iter().all(|line| line.starts_with("<3>") || line.starts_with("<6>")),
        "{lines:?}"
    );

    // Inherited from another process: the stream is not ours.
    let (process, _folder) = launch("echo-vm", &[], &[("JOURNAL_STREAM", "9:12345"), listen]);
    let line = process.wait_for_line(&["listening on"]);
    assert!(line.starts_with('{'), "{line}");
}
