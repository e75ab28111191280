//! The units under a systemd that runs: readiness, the sandbox, restarts without a lost connection, the watchdog,
//! limits, a reload.
//!
//! Long because every test is one life of a booted machine, and they share how it is started and asked.

use std::time::Duration;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Notebook;
use anyhost_tests::load::{Address, Clients, Load, Report};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::port;
use anyhost_tests::wait::{eventually, within};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::machine::Machine;
use crate::tool::{outcome, words};

/// Restarts under load.
const RESTARTS: usize = 20;

/// The machine with the service started behind its socket, on a port of the test's.
fn started(
    program: &str,
    notebook: &Notebook,
    change: impl Fn(String) -> String,
) -> (Machine, u16) {
    let port = port();
    let machine = Machine::boot(program, &notebook.url, |unit, text| {
        let text = text.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
        if unit == "notes.service" { change(text) } else { text }
    });
    machine.systemctl("start notes.service");
    (machine, port)
}

fn post(port: u16, note: &str) -> Wire {
    let length = note.len();
    let mut wire = Wire::to(port);
    wire.write(format!(
        "POST /notes HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{note}"
    ));
    wire
}

#[track_caller]
fn write(port: u16, title: &str) {
    let answer = post(port, &format!(r#"{{"title":"{title}"}}"#)).answer();
    assert_eq!(answer.status, 201, "{title}");
}

/// Waits until another process than this serves.
#[track_caller]
fn replaced(machine: &Machine, before: &str) {
    within(3 * PATIENCE, "another process serves", || {
        let now = machine.main_pid();
        (now != before && now != "0" && machine.property("ActiveState") == "active").then_some(())
    });
}

#[test]
fn the_service_is_ready_when_it_says_so_and_drains_in_its_sandbox() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started("notes-vm", &notebook, |text| text);
    // `start` returned: it is ready, not only running.
    assert_eq!(Wire::to(port).get("/readyz").status, 200);
    let status = machine.property("StatusText");
    assert!(status.contains("serving on"), "{status}");
    // A note is written to the database that the credential names; no variable has the URL.
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
    // The soft limit was raised to the hard one.
    let limits = machine.of_main_process("limits");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<_> = files.split_whitespace().skip(3).take(2).collect();
    assert!(numbers[0] == numbers[1] && numbers[0] != "1024", "{files}");
    let journal = machine.journal();
    assert!(!journal.contains(&notebook.url), "the credential is in the journal");

    let mut upload = Wire::to(port);
    let note = r#"{"title":"in flight"}"#;
    let length = note.len();
    upload.write(format!(
        "POST /notes HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    ));
    upload.until("HTTP/1.1 100 Continue\r\n\r\n");
    machine.systemctl("stop --no-block notes.service");
    eventually("it drains", || machine.journal().contains("draining").then_some(()));
    upload.write(note);
    assert_eq!(upload.answer().status, 201);
    eventually("it has ended", || (machine.property("ActiveState") == "inactive").then_some(()));
    assert_eq!(machine.property("Result"), "success");
    assert_eq!(machine.property("ExecMainStatus"), "0");
    assert_eq!(notebook.connections(), 0);
    // The socket is systemd's: the next connection starts the service again.
    assert_eq!(machine.systemctl("is-active notes.socket").trim(), "active");
    write(port, "by the socket alone");
}

#[test]
fn restarts_under_load_fail_no_connection() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started("notes-vm", &notebook, |text| {
        // More restarts than systemd allows by default.
        text.replace("StartLimitBurst=10", "StartLimitBurst=100")
    });
    let report = restarts(&machine, port, RESTARTS);
    println!("{RESTARTS} restarts: {report}");
    assert_eq!(report.failed(), 0, "{report}\n{}", machine.journal());
    let writes = report.requests.div_ceil(10);
    let stored = notebook.sql("SELECT count(*), count(DISTINCT title) FROM notes");
    assert_eq!(stored, format!("{writes}|{writes}"));
}

/// The control: without its socket unit the same service refuses connections while it restarts.
#[test]
fn without_the_socket_unit_restarts_fail_connections() {
    let notebook = Notebook::new(30, 24);
    let port = port();
    let machine = Machine::boot("notes-vm", &notebook.url, |_, text| {
        let alone = text.replace(" notes.socket\n", "\n").replace("Requires=notes.socket\n", "");
        let alone = alone.replace("Also=notes.socket\n", "");
        alone.replace("[Service]\n", &format!("[Service]\nEnvironment=LISTEN=127.0.0.1:{port}\n"))
    });
    machine.systemctl("start notes.service");
    let report = restarts(&machine, port, 3);
    println!("3 restarts without the socket unit: {report}");
    assert!(report.failed() > 0, "{report}");
}

fn restarts(machine: &Machine, port: u16, count: usize) -> Report {
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
    for _ in 0..count {
        load.wait_for(load.requests() + 20);
        let before = machine.main_pid();
        machine.systemctl("restart notes.service");
        assert_ne!(machine.main_pid(), before);
    }
    load.wait_for(load.requests() + 100);
    load.finish()
}

#[test]
fn the_watchdog_replaces_a_process_that_stands_still_as_a_whole() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started("echo-vm", &notebook, |text| {
        let fast = text.replace("WatchdogSec=30s", "WatchdogSec=2s\nEnvironment=WORKERS=2");
        fast.replace("RestartSec=1s", "RestartSec=100ms")
    });
    let before = machine.main_pid();
    let mut blocks = [Wire::to(port), Wire::to(port)];
    for wire in &mut blocks {
        wire.write("GET /r/block HTTP/1.1\r\nhost: test\r\n\r\n");
    }
    replaced(&machine, &before);
    assert_eq!(machine.property("NRestarts"), "1");
    assert!(machine.journal().contains("Watchdog timeout"), "{}", machine.journal());
    assert_eq!(Wire::to(port).get("/").status, 200);
}

#[test]
fn what_is_killed_comes_back_and_what_is_misconfigured_does_not() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started("notes-vm", &notebook, |text| {
        let fast = text.replace("RestartSec=1s", "RestartSec=100ms");
        // systemd heeds the exit code of the main process alone: what comes before it is tried again.
        fast.replace("ExecStartPre=/usr/local/bin/notes-vm migrate\n", "")
    });
    let before = machine.main_pid();
    machine.systemctl("kill --kill-who=main --signal=SIGKILL notes.service");
    // The socket stays open: a client that connects meanwhile waits.
    write(port, "while it comes back");
    replaced(&machine, &before);

    machine.configure("LAME_DUCK", "abc");
    machine.systemctl("stop notes.socket notes.service");
    assert!(!outcome(machine.inside("systemctl").args(["start", "notes.service"])).0);
    // Left alone: a start that cannot succeed is not tried again.
    assert_eq!(machine.property("ActiveState"), "failed");
    assert_eq!(machine.property("NRestarts"), "0");
    assert!(machine.journal().contains("LAME_DUCK"), "{}", machine.journal());
}

/// The limits of the unit are what the program sizes itself by, and what it is killed at.
#[test]
fn the_units_limits_reach_the_program() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started("notes-vm", &notebook, |text| {
        let limited = text.replace("MemoryMax=512M", "MemoryMax=96M\nEnvironment=MAX_BODY=1G");
        let limited = limited.replace("CPUQuota=200%", "CPUQuota=50%");
        let limited = limited.replace("RestartSec=1s", "RestartSec=100ms");
        limited.replace("ExecStart=", "ExecStartPre=/usr/local/bin/notes-vm check\nExecStart=")
    });
    let journal = machine.journal();
    let line = |name: &str| {
        let found = journal.lines().find(|line| line.starts_with(name));
        found.unwrap_or_else(|| panic!("{name}: {journal}")).to_owned()
    };
    assert!(line("memory:").contains("96 MiB"), "{journal}");
    assert!(line("processors:").contains("0.5"), "{journal}");

    let before = machine.main_pid();
    let mut upload = Wire::to(port);
    upload.write("POST /notes HTTP/1.1\r\nhost: test\r\ncontent-length: 400000000\r\n\r\n");
    let piece = vec![b' '; 1 << 20];
    (0..400).for_each(|_| upload.offer(&piece));
    replaced(&machine, &before);
    write(port, "after it was too large");
    assert_eq!(notebook.sql("SELECT count(*) FROM notes"), "1");
}

#[test]
fn a_reload_goes_by_without_a_new_process() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started("notes-vm", &notebook, |text| text);
    let before = machine.main_pid();
    machine.configure("LOG_LEVEL", "off");
    machine.systemctl("reload notes.service");
    eventually("systemd knows", || {
        machine.property("StatusText").ends_with(", reloaded").then_some(())
    });
    assert_eq!(machine.property("ActiveState"), "active");
    assert_eq!(machine.main_pid(), before);
    assert_eq!(Wire::to(port).get("/notes").status, 200);
    // `systemctl status` shows the error, and the process keeps serving.
    machine.configure("LOG_LEVEL", "loud");
    machine.systemctl("reload notes.service");
    eventually("systemd knows", || {
        machine.property("StatusText").contains("LOG_LEVEL").then_some(())
    });
    assert_eq!(machine.main_pid(), before);
    let said = words(machine.inside("systemctl").args(["stop", "notes.service"]));
    assert_eq!(machine.property("ExecMainStatus"), "0", "{said}");
    // The end of the process is not logged at this level: the first level is in force.
    assert!(!machine.journal().contains("drained"), "{}", machine.journal());
}
