//! A service manager as systemd is one, played by the test: notifications, the watchdog, credentials, a reload.
//!
//! Long because all messages to and from systemd are tested here, with the socket that receives them.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{Notebook, launch, listening_port_of, port_of};
use anyhost_tests::process::{PATIENCE, Signal};
use anyhost_tests::wait::eventually;
use tempfile::TempDir;

/// The manager's ear.
pub(crate) struct NotifySocket {
    socket: UnixDatagram,
    pub(crate) name: String,
    _folder: TempDir,
}

impl NotifySocket {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a new path");
        Self { socket, name: path.display().to_string(), _folder: folder }
    }

    /// A socket with an abstract name, without a file, as in containers.
    #[cfg(target_os = "linux")]
    fn abstract_one() -> Self {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::SocketAddr;

        let folder = TempDir::new().expect("a folder");
        let name = folder.path().display().to_string();
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let socket = UnixDatagram::bind_addr(&address).expect("a new name");
        Self { socket, name: format!("@{name}"), _folder: folder }
    }

    /// The lines of the next message, if one comes within this time.
    fn within(&self, time: Duration) -> Option<Vec<String>> {
        self.socket.set_read_timeout(Some(time)).expect("a time");
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        Some(text.lines().map(str::to_owned).collect())
    }

    /// The first message that has this line.
    #[track_caller]
    pub(crate) fn hears(&self, line: &str) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        while Instant::now() < until {
            match self.within(PATIENCE) {
                Some(message) if message.iter().any(|own| own == line) => return message,
                other => heard.extend(other),
            }
        }
        panic!("never {line}, but {heard:?}")
    }
}

fn value<'m>(message: &'m [String], name: &str) -> &'m str {
    let found = message.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {message:?}"))
}

#[test]
fn it_is_told_readiness_once_and_only_after_connections_are_taken() {
    let ears = [
        NotifySocket::new(),
        #[cfg(target_os = "linux")]
        NotifySocket::abstract_one(),
    ];
    for ear in ears {
        let environment = [("LISTEN", "127.0.0.1:0"), ("NOTIFY_SOCKET", ear.name.as_str())];
        let (process, _folder) = launch("echo-vm", &[], &environment);
        let first = ear.within(PATIENCE).expect("a message");
        assert!(!first.contains(&"READY=1".into()) && value(&first, "STATUS") == "starting");
        let ready = ear.hears("READY=1");
        assert!(value(&ready, "STATUS").starts_with("serving on "), "{ready:?}");
        // Said and true: the first try succeeds.
        assert_eq!(Wire::to(port_of(&process)).get("/readyz").status, 200);
        process.signal(Signal::TERM);
        let stopping = ear.within(PATIENCE).expect("a message");
        assert_eq!(stopping[0], "STOPPING=1", "{stopping:?}");
        assert_eq!(value(&stopping, "STATUS"), "draining");
        assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0));
        assert_eq!(ear.within(Duration::from_millis(1)), None);
    }
}

/// A start that takes long, and an end that takes long, ask for time as long as they may take.
#[test]
fn it_is_asked_for_time_while_a_start_or_a_stop_takes_long() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("postgres://nobody@{}/none", silent.local_addr().expect("bound"));
    let ear = NotifySocket::new();
    let environment = [
        ("LISTEN", "127.0.0.1:0"),
        ("NOTIFY_SOCKET", ear.name.as_str()),
        ("DATABASE_URL", url.as_str()),
        ("START_GRACE", "3s"),
    ];
    let (process, _folder) = launch("notes-vm", &[], &environment);
    // No more than is left of what a start may take.
    let message = ear.hears("STATUS=starting");
    let asked: u64 = value(&message, "EXTEND_TIMEOUT_USEC").parse().expect("a number");
    assert!((1..=3_000_000).contains(&asked), "{asked}");
    // After that systemd may end it.
    let (_, ready) = (ear.within(Duration::from_secs(6)), "READY=1".to_owned());
    assert!(!process.log().text().contains(&ready));
    drop(process);

    let ear = NotifySocket::new();
    let environment = [
        ("LISTEN", "127.0.0.1:0"),
        ("NOTIFY_SOCKET", ear.name.as_str()),
        ("SHUTDOWN_GRACE", "30s"),
    ];
    let (process, _folder) = launch("echo-vm", &[], &environment);
    ear.hears("READY=1");
    let mut upload = Wire::to(port_of(&process));
    upload.begin_upload(5);
    process.signal(Signal::TERM);
    let first = ear.hears("STOPPING=1");
    let again = ear.within(PATIENCE).expect("a message");
    for message in [&first, &again] {
        let asked: u64 = value(message, "EXTEND_TIMEOUT_USEC").parse().expect("a number");
        assert!((1..=30_000_000).contains(&asked), "{message:?}");
    }
    assert!(value(&again, "STATUS").starts_with("draining for "), "{again:?}");
    upload.write("hello");
    assert_eq!(upload.answer().status, 200);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0));
}

/// A handler that blocks its thread, which none may, takes nothing from other requests and other connections. Signs of
/// life come until every thread stands still, and no longer.
#[test]
fn one_blocked_thread_leaves_the_others_at_work_and_the_watchdog_notices_when_all_are_blocked() {
    let (ear, every) = (NotifySocket::new(), Duration::from_secs(1));
    let usec = every.as_micros().to_string();
    let environment = [
        ("LISTEN", "127.0.0.1:0"),
        ("NOTIFY_SOCKET", ear.name.as_str()),
        ("WATCHDOG_USEC", usec.as_str()),
        ("WORKERS", "2"),
    ];
    let (process, _folder) = launch("echo-vm", &[], &environment);
    let port = port_of(&process);
    for _ in 0..4 {
        ear.hears("WATCHDOG=1");
    }
    let mut open = Wire::to(port);
    assert_eq!(open.get("/").status, 200);
    let mut blocks = Wire::to(port);
    blocks.write("GET /r/block HTTP/1.1\r\nhost: test\r\n\r\n");
    for _ in 0..20 {
        assert_eq!(open.get("/").status, 200);
        assert_eq!(Wire::to(port).get("/").status, 200);
    }
    for _ in 0..4 {
        ear.hears("WATCHDOG=1");
    }
    let mut blocks_too = Wire::to(port);
    blocks_too.write("GET /r/block HTTP/1.1\r\nhost: test\r\n\r\n");
    // One that was on its way may come; what counts is that they end.
    eventually("nothing is heard for two intervals", || {
        ear.within(2 * every).is_none().then_some(())
    });
}

#[test]
fn a_watchdog_for_another_process_is_not_answered() {
    let ear = NotifySocket::new();
    let environment = [
        ("LISTEN", "127.0.0.1:0"),
        ("NOTIFY_SOCKET", ear.name.as_str()),
        ("WATCHDOG_USEC", "20000"),
        ("WATCHDOG_PID", "1"),
    ];
    let (_process, _folder) = launch("echo-vm", &[], &environment);
    ear.hears("READY=1");
    assert_eq!(ear.within(Duration::from_millis(500)), None);
}

/// A folder of settings as systemd makes one.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let new = Self(TempDir::new().expect("a folder"));
        files.iter().for_each(|(name, text)| new.write(name, text));
        new
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a file");
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

#[test]
fn credentials_win_over_the_environment_and_are_never_printed() {
    let notebook = Notebook::new(30, 24);
    let credentials = Files::new(&[
        ("DATABASE_URL", &format!("{}\n", notebook.url)),
        ("database-url", "not a setting"),
        // Against the other file's: without it "ready" below would never be logged.
        ("LOG_LEVEL", "info\n"),
    ]);
    let configuration = Files::new(&[("LOG_LEVEL", "off"), ("SHUTDOWN_GRACE", "7s")]);
    let (folder, other) = (credentials.path(), configuration.path());
    let environment = [
        ("LISTEN", "127.0.0.1:0"),
        ("CREDENTIALS_DIRECTORY", folder.to_str().expect("a path")),
        ("CONFIGURATION_DIRECTORY", other.to_str().expect("a path")),
        ("DATABASE_URL", "postgres://nobody:hunter2@127.0.0.1:1/none"),
        ("SHUTDOWN_GRACE", "9s"),
    ];
    let (check, _folder) = launch("notes-vm", &["check"], &environment);
    assert!(check.wait_for_exit(PATIENCE).success(), "{}", check.log().text());
    check.wait_for_line(&["grace:", "7 s"]);
    let (process, _folder) = launch("notes-vm", &[], &environment);
    assert_eq!(Wire::to(listening_port_of(&process)).get("/livez").status, 200);
    process.wait_for_line(&["\"ready\""]);
    assert_eq!(Wire::to(port_of(&process)).get("/notes").status, 200);
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0));
    for text in [check.log().text(), process.log().text()] {
        assert!(!text.contains("hunter2") && !text.contains(&notebook.url), "{text}");
    }
}

#[test]
fn credentials_that_cannot_be_read_are_one_line_that_names_them() {
    let binary = Files::new(&[]);
    fs::write(binary.path().join("DATABASE_URL"), [0xff, 0xfe]).expect("a file");
    for (folder, words) in [
        (PathBuf::from("/nowhere/credentials"), "/nowhere/credentials"),
        (binary.path(), "DATABASE_URL: it is not UTF-8"),
    ] {
        let folder = folder.to_str().expect("a path");
        let (process, _folder) = launch("echo-vm", &[], &[("CREDENTIALS_DIRECTORY", folder)]);
        process.wait_for_line(&["error: CREDENTIALS_DIRECTORY: cannot read ", words]);
        assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(78));
    }
}

/// A reload is told before and after, changes the level, and gives new connections the new password while
/// the process and its open connections go on.
#[test]
fn a_reload_changes_the_level_and_the_password_of_new_connections() {
    let notebook = Notebook::new(30, 24);
    notebook.sql("CREATE ROLE locked LOGIN PASSWORD 'first' IN ROLE notes");
    let url = |password: &str| notebook.url.replace("notes@", &format!("locked:{password}@"));
    let (ear, credentials) = (NotifySocket::new(), Files::new(&[("DATABASE_URL", &url("first"))]));
    let folder = credentials.path();
    let environment = [
        ("LISTEN", "127.0.0.1:0"),
        ("NOTIFY_SOCKET", ear.name.as_str()),
        ("CREDENTIALS_DIRECTORY", folder.to_str().expect("a path")),
    ];
    let (process, _folder) = launch("notes-vm", &[], &environment);
    ear.hears("READY=1");
    let port = port_of(&process);
    assert_eq!(Wire::to(port).get("/notes").status, 200);

    let reload = || {
        process.signal(Signal::HUP);
        let reloading = ear.within(PATIENCE).expect("a message");
        assert_eq!(reloading[0], "RELOADING=1");
        let since: u128 = value(&reloading, "MONOTONIC_USEC").parse().expect("a number");
        assert!(since > 0);
        let ready = ear.within(PATIENCE).expect("a message");
        assert_eq!(ready[0], "READY=1");
        value(&ready, "STATUS").to_owned()
    };
    notebook.sql("ALTER ROLE locked PASSWORD 'second'");
    credentials.write("DATABASE_URL", &url("second"));
    assert!(reload().starts_with("serving on "));
    // Every connection is cut: the ones that follow need the new password.
    notebook.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'locked'");
    eventually("it serves with new connections", || {
        (Wire::to(port).get("/notes").status == 200).then_some(())
    });

    // An invalid setting changes nothing and is reported.
    credentials.write("LOG_LEVEL", "loud");
    let status = reload();
    assert!(status.contains("the reload failed: LOG_LEVEL"), "{status}");
    credentials.write("LOG_LEVEL", "info");
    credentials.write("DATABASE_URL", "postgres://locked@127.0.0.1:1/other");
    let status = reload();
    assert!(status.contains("DATABASE_URL: names another database"), "{status}");
    assert_eq!(Wire::to(port).get("/notes").status, 200);

    // The level is in force: the end of the process is not logged.
    credentials.write("LOG_LEVEL", "off");
    credentials.write("DATABASE_URL", &url("second"));
    reload();
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0));
    let text = process.log().text();
    assert!(!text.contains("draining"), "{text}");
    assert!(!text.contains(":second@") && !text.contains(":first@"), "{text}");
}
