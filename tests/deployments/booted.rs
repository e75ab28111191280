//! The units under a systemd that runs: readiness, its sandbox, restarts without a lost connection, the watchdog.

use std::time::Duration;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Notebook;
use anyhost_tests::load::{Address, Clients, Load};
use anyhost_tests::servers::port;
use anyhost_tests::wait::eventually;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::machine::Machine;

/// Restarts under load.
const RESTARTS: usize = 20;

/// The machine with the service on a port of the test's, started.
fn started(notebook: &Notebook, change: impl Fn(String) -> String) -> (Machine, u16) {
    let port = port();
    let machine = Machine::boot(&notebook.url, |unit, text| {
        let text = text.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
        if unit == "notes.service" { change(text) } else { text }
    });
    machine.systemctl("start notes.socket notes.service");
    (machine, port)
}

#[track_caller]
fn write(port: u16, title: &str) {
    let note = format!(r#"{{"title":"{title}"}}"#);
    let length = note.len();
    let mut wire = Wire::to(port);
    wire.write(format!(
        "POST /notes HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{note}"
    ));
    assert_eq!(wire.answer().status, 201, "{title}");
}

#[test]
fn the_service_is_ready_when_it_says_so_in_a_sandbox_with_its_credential() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started(&notebook, |text| text);
    // `start` returned: it is ready, not only running.
    assert_eq!(Wire::to(port).get("/readyz").status, 200);
    assert_eq!(machine.property("ActiveState"), "active");
    assert!(
        machine.property("StatusText").contains("serving on"),
        "{}",
        machine.property("StatusText")
    );
    // What is written goes to the database that the credential names; no variable holds it.
    write(port, "under systemd");
    assert_eq!(notebook.sql("SELECT title FROM notes"), "under systemd");
    assert!(!machine.of_main_process("environ").contains("postgres://"));
    let status = machine.of_main_process("status");
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let user: u32 = line("Uid:").split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((61184..=65519).contains(&user), "a dynamic user: {user}");
    assert_eq!(line("CapEff:").split_whitespace().last(), Some("0000000000000000"));
    assert_eq!(line("NoNewPrivs:").split_whitespace().last(), Some("1"));
    assert_eq!(line("Seccomp:").split_whitespace().last(), Some("2"));
    let limits = machine.of_main_process("limits");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    println!("{files}");
    let journal = machine.journal();
    assert!(!journal.contains(&notebook.url), "the credential is in the journal");

    // A reload goes by without a new process; a stop drains and leaves the socket to systemd.
    let before = machine.main_pid();
    machine.systemctl("reload notes.service");
    assert_eq!(Wire::to(port).get("/notes").status, 200);
    assert_eq!(machine.main_pid(), before);
    machine.systemctl("stop notes.service");
    assert_eq!(machine.property("Result"), "success");
    assert_eq!(machine.property("ExecMainStatus"), "0");
    assert!(machine.journal().contains("drained"), "{}", machine.journal());
    assert_eq!(machine.systemctl("is-active notes.socket").trim(), "active");
    // The next connection starts it again.
    write(port, "by the socket alone");
}

#[test]
fn restarts_under_load_fail_no_connection() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started(&notebook, |text| text);
    let clients = Clients {
        address: Address::Tcp(([127, 0, 0, 1], port).into()),
        count: 8,
        keep_alive: false,
        every: Some(Duration::from_millis(10)),
    };
    let load = Load::start(clients, |number| {
        let request = Request::builder().header("host", "test");
        let request = if number % 10 == 0 {
            let note = format!(r#"{{"title":"write {number}"}}"#);
            request.method("POST").uri("/notes").body(Full::new(Bytes::from(note)))
        } else {
            request.uri("/notes?limit=1").body(Full::default())
        };
        request.expect("a plain request")
    });
    for _ in 0..RESTARTS {
        load.wait_for(load.requests() + 20);
        let before = machine.main_pid();
        machine.systemctl("restart notes.service");
        assert_ne!(machine.main_pid(), before);
    }
    load.wait_for(load.requests() + 100);
    let report = load.finish();
    println!("{RESTARTS} restarts: {report}");
    assert_eq!(report.failed(), 0, "{report}\n{}", machine.journal());
    let writes = report.requests.div_ceil(10);
    let stored = notebook.sql("SELECT count(*), count(DISTINCT title) FROM notes");
    assert_eq!(stored, format!("{writes}|{writes}"));
}

#[test]
fn the_watchdog_replaces_a_process_that_stands_still() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started(&notebook, |text| {
        text.replace("WatchdogSec=10s", "WatchdogSec=2s")
            .replace("RestartSec=1s", "RestartSec=100ms")
    });
    let before = machine.main_pid();
    machine.systemctl("kill --kill-who=main --signal=SIGSTOP notes.service");
    eventually("it was replaced", || {
        let now = machine.main_pid();
        (now != before && now != "0" && machine.property("ActiveState") == "active").then_some(())
    });
    assert_eq!(machine.property("NRestarts"), "1");
    assert!(machine.journal().contains("Watchdog timeout"), "{}", machine.journal());
    write(port, "after the watchdog");
}

#[test]
fn what_is_killed_comes_back_and_what_is_misconfigured_does_not() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started(&notebook, |text| {
        let fast = text.replace("RestartSec=1s", "RestartSec=100ms");
        fast.replace("[Service]\n", "[Service]\nEnvironmentFile=-/run/notes-environment\n")
    });
    let before = machine.main_pid();
    machine.systemctl("kill --kill-who=main --signal=SIGKILL notes.service");
    // The socket stayed: whoever connects meanwhile waits.
    write(port, "while it comes back");
    eventually("it is active", || (machine.property("ActiveState") == "active").then_some(()));
    assert_ne!(machine.main_pid(), before);
    let restarts = machine.property("NRestarts");

    let mut shell = machine.inside("sh");
    crate::tool::words(shell.args(["-c", "echo LAME_DUCK=abc > /run/notes-environment"]));
    machine.systemctl("stop notes.socket");
    assert!(
        !crate::tool::outcome(machine.inside("systemctl").args(["restart", "notes.service"])).0
    );
    assert_eq!(machine.property("ActiveState"), "failed");
    assert_eq!(machine.property("NRestarts"), restarts.as_str().replace(&restarts, "0"));
    assert!(machine.journal().contains("LAME_DUCK"), "{}", machine.journal());
}

/// The limits of the unit are what the program sizes itself by.
#[test]
fn the_units_limits_reach_the_program() {
    let notebook = Notebook::new(30, 24);
    let (machine, _port) = started(&notebook, |text| {
        let limited = text
            .replace("MemoryMax=512M", "MemoryMax=96M")
            .replace("CPUQuota=200%", "CPUQuota=50%");
        limited.replace("ExecStart=", "ExecStartPre=/usr/local/bin/notes-vm check\nExecStart=")
    });
    let journal = machine.journal();
    let line = |name: &str| {
        let found = journal.lines().find(|line| line.starts_with(name));
        found.unwrap_or_else(|| panic!("{name}: {journal}")).to_owned()
    };
    assert!(line("memory:").contains("96 MiB"), "{journal}");
    assert!(line("processors:").contains("0.5"), "{journal}");
}
