//! The program as a PaaS runs it: variables in, a port open, signals, exit codes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

/// The example `hello_paas`, which `cargo test` builds beside this test.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a file");
    let built = own.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps");
    let program = built.join("examples/hello_paas");
    assert!(program.exists(), "{} is missing: run `cargo test -p anyhost-paas`", program.display());
    program
}

fn command(pairs: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program());
    command.env_clear().envs(pairs.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running program, killed when dropped.
struct RunningProgram {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl RunningProgram {
    fn with(pairs: &[(&str, &str)]) -> Self {
        let mut child = command(pairs).spawn().expect("the example runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let listening = wait_for(&mut lines, "listening on ");
        let (_, rest) = listening.split_once("listening on ").expect("just found");
        let address = rest.split('"').next().expect("an address").parse().expect("an address");
        wait_for(&mut lines, "\"ready\"");
        Self { child, lines, address }
    }

    fn end(mut self) -> (Option<i32>, Vec<String>) {
        let printed = self.lines.by_ref().map(|line| line.expect("readable")).collect();
        (self.child.wait().expect("it ends").code(), printed)
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, text: &str) -> String {
    lines
        .map(|line| line.expect("readable"))
        .find(|line| line.contains(text))
        .unwrap_or_else(|| panic!("the program ended without {text:?}"))
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .expect("writable");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("readable");
    answer
}

fn kill(id: u32, signal: &str) {
    let sent = Command::new("kill").args(["-s", signal, &id.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

fn refused(pairs: &[(&str, &str)], words: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } =
        command(pairs).args(words).output().expect("the example runs");
    let printed = String::from_utf8(stderr).expect("a text");
    assert_eq!(printed.lines().count(), 1, "{printed}");
    (status.code(), printed)
}

#[test]
fn it_listens_on_every_address() {
    let serving = RunningProgram::with(&[("PORT", "0")]);
    let port = serving.address.port();
    for address in
        [SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from(([127, 0, 0, 9], port))]
    {
        assert!(get(address, "/").ends_with("hello"), "{address}");
    }
    if serving.address.is_ipv6() {
        assert!(get(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)), "/").ends_with("hello"));
    }
}

#[test]
fn a_stop_finishes_what_was_begun() {
    let serving = RunningProgram::with(&[("PORT", "0")]);
    let address = SocketAddr::from(([127, 0, 0, 1], serving.address.port()));
    let mut slow = TcpStream::connect(address).expect("the server listens");
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").expect("writable");
    assert!(get(address, "/readyz").starts_with("HTTP/1.1 200 "));
    kill(serving.child.id(), "TERM");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).expect("readable");
    assert!(answer.ends_with("hello") && answer.contains("connection: close"), "{answer}");
    let (code, printed) = serving.end();
    assert_eq!(code, Some(0), "{printed:#?}");
}

#[test]
fn on_kubernetes_it_goes_on_serving_while_the_endpoints_learn() {
    let kubernetes = [("PORT", "0"), ("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("LAME_DUCK", "1s")];
    let mut serving = RunningProgram::with(&kubernetes);
    let address = SocketAddr::from(([127, 0, 0, 1], serving.address.port()));
    kill(serving.child.id(), "TERM");
    wait_for(&mut serving.lines, "\"draining\"");
    assert!(get(address, "/readyz").starts_with("HTTP/1.1 503 "));
    assert!(get(address, "/").ends_with("hello"));
    let (code, _) = serving.end();
    assert_eq!(code, Some(0));
}

#[test]
fn a_wrong_setting_is_one_line_and_78() {
    for (variable, value, expected) in [
        ("PORT", "abc", "error: PORT: expected a whole number from 0 to 65535, found \"abc\"\n"),
        ("PORT", "70000", "error: PORT: expected a whole number"),
        ("PLATFORM", "herokou", "error: PLATFORM: expected one of "),
        ("MAX_BODY", "huge", "error: MAX_BODY: expected a size"),
        ("SHUTDOWN_GRACE", "-1", "error: SHUTDOWN_GRACE: expected a duration"),
        ("LOG_FORMAT", "xml", "error: LOG_FORMAT: expected auto, text, json"),
    ] {
        let (code, printed) = refused(&[(variable, value)], &[]);
        assert_eq!(code, Some(78), "{printed}");
        assert!(printed.starts_with(expected), "{printed}");
    }
}

#[test]
fn a_port_that_is_taken_is_named_and_71() {
    let taken = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"));
    let taken = taken.expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let (code, printed) = refused(&[("PORT", &port)], &[]);
    assert_eq!(code, Some(71), "{printed}");
    assert!(
        printed.contains(&port) && printed.contains("already in use; PORT chooses"),
        "{printed}"
    );
}

#[test]
fn it_has_three_verbs() {
    let Output { status, stdout, .. } = command(&[("DYNO", "web.1"), ("LAME_DUCK", "9s")])
        .arg("check")
        .output()
        .expect("the example runs");
    assert_eq!(status.code(), Some(0));
    let report = String::from_utf8(stdout).expect("a text");
    assert!(
        report.contains("heroku (long-running)") && report.contains("grace:      25 s"),
        "{report}"
    );
    let wanted = [
        "setting:    DYNO=web.1",
        "setting:    HEADER_TIMEOUT=15s (default)",
        "setting:    LAME_DUCK=9s",
        "setting:    PORT=8080 (default)",
        "not set:    ",
    ];
    for line in wanted {
        assert!(report.lines().any(|found| found.starts_with(line)), "{line}: {report}");
    }
    let migrated = command(&[]).arg("migrate").output().expect("the example runs");
    assert_eq!(migrated.status.code(), Some(0));
    let (code, printed) = refused(&[], &["sevre"]);
    assert_eq!(code, Some(64), "{printed}");
}
