//! Sudden ends and stops: SIGKILL, SIGSTOP, and running as process 1.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhost_tests::process::{PATIENCE, Process, Signal, binary};
use anyhost_tests::skip::skipped_without_namespaces;
use anyhost_tests::wait::{eventually, pause};
use rustix::process::{Pid, kill_process};
use sqlx::{Connection, Executor, PgConnection};
use tokio::runtime::{Builder, Runtime};

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{Instance, Notebook, port_of};

#[test]
fn killed_in_mid_transaction_it_leaves_no_half_written_note_and_no_connection() {
    let notebook = Notebook::new(30, 24);
    // A write stands still after its row is there and before its transaction is committed.
    notebook.sql(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN PERFORM pg_advisory_lock(7); PERFORM pg_advisory_unlock(7); RETURN NULL; END$$; \
         CREATE TRIGGER hold AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION hold()",
    );
    let holder = Holder::lock(&notebook);
    let instance = Instance::start("notes-paas", &[("DATABASE_URL", &notebook.url)]);
    let mut writer = Wire::to(instance.port);
    let note = r#"{"title":"half","body":"written"}"#;
    let length = note.len();
    writer.write(format!(
        "POST /notes HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{note}"
    ));
    eventually("the write stands still", || {
        let waiting = notebook.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'notes' AND wait_event = 'advisory'",
        );
        (waiting == "1").then_some(())
    });
    instance.process.signal(Signal::KILL);
    // The server notices by itself, while the transaction still waits for its lock.
    eventually("no connection is left", || (notebook.connections() == 0).then_some(()));
    holder.unlock();
    assert_eq!(notebook.sql("SELECT count(*) FROM notes"), "0");

    // The next process starts on the same database and writes.
    notebook.sql("DROP TRIGGER hold ON notes");
    let next = Instance::start("notes-paas", &[("DATABASE_URL", &notebook.url)]);
    let mut writer = Wire::to(next.port);
    writer.write(format!(
        "POST /notes HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{note}"
    ));
    assert_eq!(writer.answer().status, 201);
    assert_eq!(notebook.sql("SELECT count(*) FROM notes"), "1");
}

#[test]
fn frozen_while_its_connections_die_it_serves_the_next_request() {
    let notebook = Notebook::new(30, 24);
    let instance = Instance::start("notes-paas", &[("DATABASE_URL", &notebook.url)]);
    assert_eq!(Wire::to(instance.port).get("/notes").status, 200);
    instance.process.signal(Signal::STOP);
    assert!(notebook.server.terminate_all() > 0);
    // Longer than a connection counts as proven.
    pause(Duration::from_secs(1));
    instance.process.signal(Signal::CONT);
    for _ in 0..20 {
        let answer = Wire::to(instance.port).get("/notes");
        assert_eq!(answer.status, 200, "{}\n{}", answer.body, instance.process.log().text());
    }
    instance.tell(Signal::TERM);
    assert_eq!(instance.exit_code(PATIENCE), 0);
}

/// In a container without an init a program is process 1, which the kernel spares every signal that it
/// does not handle.
#[test]
fn as_process_1_it_hears_the_stop_signal() {
    let own = ["--user", "--map-root-user", "--fork", "--pid", "--kill-child", "--mount-proc"];
    if skipped_without_namespaces(&own) {
        return;
    }
    for program in ["echo-paas", "echo-vm"] {
        let path = binary(program);
        let unshare = Path::new("/usr/bin/unshare");
        let arguments = [&own[..], &[path.to_str().expect("a plain path")]].concat();
        let environment = [("PORT", "0"), ("LISTEN", "127.0.0.1:0")];
        let process = Process::start(unshare, &arguments, Path::new("/"), &environment);
        let port = port_of(&process);
        assert_eq!(Wire::to(port).get("/").status, 200);
        let init = child_of(process.id());
        let status = fs::read_to_string(format!("/proc/{}/status", init.as_raw_nonzero()));
        let status = status.expect("it runs");
        let ids = status.lines().find(|line| line.starts_with("NSpid:")).expect("a kernel line");
        assert_eq!(ids.split_whitespace().last(), Some("1"), "{ids}");
        kill_process(init, Signal::TERM).expect("it runs");
        assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0), "{}", process.log().text());
        process.wait_for_line(&["drained"]);
    }
}

/// Its own exit code shows that it handles the signal, without which process 1 would not hear it.
#[test]
fn a_migration_hears_the_stop_signal() {
    // A database that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("postgres://app:app@{}/app", silent.local_addr().expect("bound"));
    let environment = [("DATABASE_URL", &*url)];
    for program in ["notes-paas", "notes-lambda"] {
        for (verb, signal) in [("migrate", Signal::TERM), ("check", Signal::INT)] {
            let process = Process::start(&binary(program), &[verb], Path::new("/"), &environment);
            let connected = silent.accept().expect("it connects");
            process.signal(signal);
            let status = process.wait_for_exit(PATIENCE);
            assert_eq!(status.code(), Some(75), "{program} {verb}: {}", process.log().text());
            process.wait_for_line(&["error: stopped by a signal"]);
            drop(connected);
        }
    }
}

/// A session that holds the lock that writes wait for.
struct Holder {
    runtime: Runtime,
    connection: PgConnection,
}

impl Holder {
    fn lock(notebook: &Notebook) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let url = format!("postgres://postgres@127.0.0.1:{}/notes", notebook.server.port());
        let connection = runtime.block_on(async {
            let mut connection = PgConnection::connect(&url).await?;
            connection.execute("SELECT pg_advisory_lock(7)").await?;
            Ok::<_, sqlx::Error>(connection)
        });
        Self { runtime, connection: connection.expect("the server lets it") }
    }

    fn unlock(self) {
        self.runtime.block_on(self.connection.close()).expect("it is open");
    }
}

fn child_of(parent: u32) -> Pid {
    let list = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(&list).expect("the kernel lists children");
    let child = children.split_whitespace().next().expect("it has one");
    Pid::from_raw(child.parse().expect("an id")).expect("not 0")
}
