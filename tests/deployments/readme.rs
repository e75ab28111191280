//! The program of README.md under a systemd that runs, made outside of the workspace.

use anyhost_tests::connection::Wire;
use anyhost_tests::process::readme_program;
use anyhost_tests::servers::{Postgres, port};
use anyhost_tests::wait::eventually;

use crate::machine::Machine;

#[test]
fn the_program_of_the_readme_is_a_service_of_a_booted_machine() {
    let (server, port) = (Postgres::start(&[]), port());
    let url = server.database();
    let program = readme_program().display().to_string();
    let machine = Machine::boot(&program, &url, |_, text| {
        let text = text.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
        // It has no migrations.
        text.replace("ExecStartPre=/usr/local/bin/notes-vm migrate\n", "")
    });
    machine.systemctl("start notes.service");
    // `start` returned: it is ready, and says so to systemd.
    let status = machine.property("StatusText");
    assert!(status.contains("serving on"), "{status}");
    let answer = Wire::to(port).get("/");
    assert_eq!(answer.status, 200, "{}\n{}", answer.body, machine.journal());
    // PostgreSQL writes the time with its zone, SQLite without one.
    assert!(answer.body.len() > "2026-11-30 12:00:00".len(), "{}", answer.body);
    machine.systemctl("stop --no-block notes.service");
    eventually("it has ended", || (machine.property("ActiveState") == "inactive").then_some(()));
    assert_eq!(machine.property("Result"), "success", "{}", machine.journal());
    assert_eq!(machine.property("ExecMainStatus"), "0");
}
