//! The unit under a systemd that runs: readiness, its sandbox, its limits, its end, and its return.

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Notebook;
use anyhost_tests::servers::port;
use anyhost_tests::wait::eventually;

use crate::machine::Machine;
use crate::tool::{outcome, words};

/// The machine with the service started, on a port of the test's.
fn started(notebook: &Notebook, change: impl Fn(String) -> String) -> (Machine, u16) {
    let port = port();
    let environment = format!("DATABASE_URL={}\nLISTEN=127.0.0.1:{port}\n", notebook.url);
    let machine = Machine::boot(&environment, change);
    machine.systemctl("start notes.service");
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
fn the_service_is_ready_when_it_says_so_and_drains_in_its_sandbox() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started(&notebook, |text| text);
    // `start` returned: it is ready, not only running.
    assert_eq!(Wire::to(port).get("/readyz").status, 200);
    let status = machine.property("StatusText");
    assert!(status.contains("serving on"), "{status}");
    write(port, "under systemd");
    assert_eq!(notebook.sql("SELECT title FROM notes"), "under systemd");
    let status = machine.of_main_process("status");
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let user: u32 = line("Uid:").split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((61184..=65519).contains(&user), "a dynamic user: {user}");
    assert_eq!(line("CapEff:").split_whitespace().last(), Some("0000000000000000"));
    assert_eq!(line("NoNewPrivs:").split_whitespace().last(), Some("1"));
    assert_eq!(line("Seccomp:").split_whitespace().last(), Some("2"));
    assert!(!machine.journal().contains(&notebook.url), "the URL is in the journal");

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
}

#[test]
fn what_is_killed_comes_back_and_what_is_misconfigured_does_not() {
    let notebook = Notebook::new(30, 24);
    let (machine, port) = started(&notebook, |text| {
        let fast = text.replace("RestartSec=1s", "RestartSec=100ms");
        // systemd heeds the exit code of the main process alone: what comes before it is tried again.
        let fast = fast.replace("ExecStartPre=/usr/local/bin/notes-vm migrate\n", "");
        fast.replace("[Service]\n", "[Service]\nEnvironmentFile=-/run/notes-environment\n")
    });
    let before = machine.main_pid();
    machine.systemctl("kill --kill-who=main --signal=SIGKILL notes.service");
    eventually("it is back", || {
        let now = machine.main_pid();
        (now != before && now != "0" && machine.property("ActiveState") == "active").then_some(())
    });
    write(port, "after it came back");

    words(machine.inside("sh").args(["-c", "echo LAME_DUCK=abc > /run/notes-environment"]));
    assert!(!outcome(machine.inside("systemctl").args(["restart", "notes.service"])).0);
    // Left alone: a start that cannot succeed is not tried again.
    assert_eq!(machine.property("ActiveState"), "failed");
    assert_eq!(machine.property("NRestarts"), "0");
    assert!(machine.journal().contains("LAME_DUCK"), "{}", machine.journal());
}

/// The limits of the unit are what the program sizes itself by.
#[test]
fn the_units_limits_reach_the_program() {
    let notebook = Notebook::new(30, 24);
    let (machine, _port) = started(&notebook, |text| {
        let limited = text.replace("MemoryMax=512M", "MemoryMax=96M");
        let limited = limited.replace("CPUQuota=200%", "CPUQuota=50%");
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
