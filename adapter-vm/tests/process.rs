//! The program as systemd and an operator run it: addresses, sockets, notifications, signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

/// The example `hello_vm`, which `cargo test` builds beside this test.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a file");
    let built = own.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps");
    let program = built.join("examples/hello_vm");
    assert!(program.exists(), "{} is missing: run `cargo test -p anyhost-vm`", program.display());
    program
}

fn command(pairs: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program());
    // No load balancer stands in front, so no lame duck is needed.
    command.env_clear().env("LAME_DUCK", "0").envs(pairs.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running program, killed when dropped.
struct RunningProgram {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    /// The lines that were read.
    printed: Vec<String>,
    addresses: Vec<String>,
}

impl RunningProgram {
    fn with(pairs: &[(&str, &str)]) -> Self {
        let mut child = command(pairs).spawn().expect("the example runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut serving = Self { child, lines, printed: Vec::new(), addresses: Vec::new() };
        loop {
            let line = serving.line();
            if let Some((_, rest)) = line.split_once("listening on ") {
                serving.addresses.push(rest.split('"').next().expect("an address").to_owned());
            }
            if line.contains("\"ready\"") {
                return serving;
            }
        }
    }

    fn line(&mut self) -> String {
        let line = self.lines.next().expect("it runs").expect("readable");
        self.printed.push(line.clone());
        line
    }

    fn tcp(&self) -> SocketAddr {
        let found = self.addresses.iter().find_map(|address| address.parse().ok());
        found.expect("it listens on TCP")
    }

    fn stop(mut self) -> (Option<i32>, Vec<String>) {
        let sent = Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        let printed = self.lines.by_ref().map(|line| line.expect("readable")).collect();
        (self.child.wait().expect("it ends").code(), printed)
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn get(mut stream: impl Read + Write) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("writable");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("readable");
    answer
}

/// A temporary folder, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("anyhost-vm-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn listen(path: &Path) -> String {
    format!("unix:{}", path.display())
}

#[test]
fn it_listens_where_it_is_told() {
    let folder = Folder::new("several");
    let path = folder.path("app.sock");
    let serving = RunningProgram::with(&[("LISTEN", &format!("127.0.0.1:0, {}", listen(&path)))]);
    assert!(get(TcpStream::connect(serving.tcp()).expect("it listens")).ends_with("hello"));
    assert!(get(UnixStream::connect(&path).expect("it listens")).ends_with("hello"));
    assert_eq!(serving.stop().0, Some(0));
}

#[test]
fn a_socket_that_nobody_listens_on_is_replaced_and_nothing_else_is() {
    let folder = Folder::new("stale");
    let left = folder.path("left.sock");
    drop(UnixListener::bind(&left).expect("a new path"));
    let serving = RunningProgram::with(&[("LISTEN", &listen(&left))]);
    assert!(get(UnixStream::connect(&left).expect("it listens")).ends_with("hello"));

    let file = folder.path("file");
    std::fs::write(&file, "precious").expect("writable");
    let no_socket = "a file is there that is no socket; remove it, or name another path";
    for (taken, reason) in [(&left, "the address is already in use"), (&file, no_socket)] {
        let Output { status, stderr, .. } =
            command(&[("LISTEN", &listen(taken))]).output().expect("the example runs");
        assert_eq!(status.code(), Some(71));
        let printed = String::from_utf8(stderr).expect("a text");
        assert_eq!(printed, format!("error: cannot listen on {}: {reason}\n", listen(taken)));
    }
    assert_eq!(std::fs::read_to_string(&file).expect("still there"), "precious");
    assert_eq!(serving.stop().0, Some(0));
}

#[test]
fn systemd_is_told_each_phase() {
    let folder = Folder::new("notify");
    let path = folder.path("notify.sock");
    let manager = UnixDatagram::bind(&path).expect("a new path");
    manager.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let heard = || {
        let mut buffer = [0; 1024];
        let length = manager.recv(&mut buffer).expect("a message in time");
        String::from_utf8(buffer[..length].to_vec()).expect("a text")
    };
    let path = path.to_str().expect("a text");
    let serving = RunningProgram::with(&[("LISTEN", "127.0.0.1:0"), ("NOTIFY_SOCKET", path)]);
    assert!(heard().ends_with("STATUS=starting\n"));
    let ready = heard();
    assert!(ready.starts_with("READY=1\n") && ready.contains("STATUS=serving on"), "{ready}");
    // READY=1 came when the program was ready: a connection is served without another wait.
    assert!(get(TcpStream::connect(serving.tcp()).expect("it listens")).ends_with("hello"));
    let (code, printed) = serving.stop();
    assert_eq!(code, Some(0), "{printed:#?}");
    assert!(heard().starts_with("STOPPING=1\n"));
}

#[test]
fn what_stands_in_the_way_is_one_line_and_an_exit_code() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    for (variable, value, code, expected) in [
        ("LISTEN", "8080", 78, "error: LISTEN: expected addresses such as".to_owned()),
        ("LISTEN", "unix:app.sock", 78, "error: LISTEN: expected addresses such as".to_owned()),
        (
            "LISTEN",
            &address,
            71,
            format!("error: cannot listen on {address}: the address is already"),
        ),
        (
            "LISTEN",
            "203.0.113.1:0",
            71,
            "error: cannot listen on 203.0.113.1:0: this machine".to_owned(),
        ),
        (
            "LISTEN",
            "unix:/nowhere/app.sock",
            71,
            "error: cannot listen on unix:/nowhere/app.sock".to_owned(),
        ),
        ("SHUTDOWN_GRACE", "long", 78, "error: SHUTDOWN_GRACE: expected a duration".to_owned()),
    ] {
        let Output { status, stderr, .. } =
            command(&[(variable, value)]).output().expect("the example runs");
        let printed = String::from_utf8(stderr).expect("a text");
        assert_eq!(status.code(), Some(code), "{printed}");
        assert!(printed.starts_with(&expected) && printed.lines().count() == 1, "{printed}");
    }
}

#[test]
fn a_manager_that_is_not_there_is_told_of_once_and_the_program_serves() {
    let path = "/no/such/folder/notify";
    let mut serving = RunningProgram::with(&[("LISTEN", "127.0.0.1:0"), ("NOTIFY_SOCKET", path)]);
    assert!(get(TcpStream::connect(serving.tcp()).expect("it listens")).ends_with("hello"));
    // The warning is logged before or after the line which says that the process is ready.
    let is_told = |line: &String| line.contains("NOTIFY_SOCKET: systemd is not told");
    while !serving.printed.iter().any(is_told) {
        serving.line();
    }
    let mut printed = std::mem::take(&mut serving.printed);
    let (code, after) = serving.stop();
    assert_eq!(code, Some(0));
    printed.extend(after);
    assert_eq!(printed.iter().filter(|line| line.contains("NOTIFY_SOCKET")).count(), 1);
}
