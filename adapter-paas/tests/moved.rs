//! A program written for another server runs here: `#[tokio::main]`, its own command line, its own logging.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The example `moved_paas`, which `cargo test` builds beside this test.
fn command(words: &[&str], pairs: &[(&str, &str)]) -> Command {
    let own = std::env::current_exe().expect("a test has a file");
    let built = own.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps");
    let program = built.join("examples/moved_paas");
    assert!(program.exists(), "{} is missing: run `cargo test -p anyhost-paas`", program.display());
    let mut command = Command::new(program);
    command.args(words).env_clear().envs(pairs.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A program that says where it listens.
fn logging(words: &[&str], pairs: &[(&str, &str)]) -> (Child, SocketAddr) {
    let pairs = [&[("PORT", "0"), ("HOST", "127.0.0.1")], pairs].concat();
    let mut child = command(words, &pairs).spawn().expect("the example runs");
    let stdout = child.stdout.take().expect("piped");
    let mut lines = BufReader::new(stdout);
    let mut address = None;
    let mut line = String::new();
    while !line.contains("\"ready\"") {
        line.clear();
        let read = lines.read_line(&mut line).expect("readable");
        assert!(read > 0, "the program ended before it was ready");
        if let Some((_, rest)) = line.split_once("listening on ") {
            address = rest.split('"').next().and_then(|address| address.parse().ok());
        }
    }
    child.stdout = Some(lines.into_inner());
    (child, address.expect("it says where it listens"))
}

/// Starts a program that prints nothing, on a free port, and waits until it is ready.
fn silent(words: &[&str]) -> (Child, SocketAddr) {
    let until = Instant::now() + PATIENCE;
    loop {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = free.local_addr().expect("bound");
        drop(free);
        let port = address.port().to_string();
        let pairs = [("PORT", port.as_str()), ("HOST", "127.0.0.1")];
        let mut child = command(words, &pairs).spawn().expect("the example runs");
        // The program exits if another process has taken the port in the meantime.
        while child.try_wait().expect("a child").is_none() {
            if try_get(address, "/readyz").is_some_and(|answer| answer.contains(" 200 ")) {
                return (child, address);
            }
            assert!(Instant::now() < until, "never ready");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        assert!(Instant::now() < until, "no port stays free");
    }
}

fn try_get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn get(address: SocketAddr, path: &str) -> String {
    try_get(address, path).expect("the server answers")
}

/// Tells a program to stop: its exit code and what it wrote.
fn stop(child: Child) -> (Option<i32>, String, String) {
    let sent = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_main_of_tokio_and_a_command_line_of_its_own_stay_and_log_records_are_logged() {
    let (child, address) = logging(&["good day"], &[]);
    assert!(address.ip().is_loopback(), "HOST names the one address: {address}");
    assert!(get(address, "/").ends_with("good day"));
    let (code, stdout, stderr) = stop(child);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let record = stdout.lines().find(|line| line.contains("a record of the crate log"));
    let record = record.expect("it is logged");
    assert!(record.contains("\"target\":\"moved::greeting\""), "its own target: {record}");
    assert!(record.contains("\"level\":\"WARN\"") && !record.contains("log."), "{record}");
}

#[test]
fn rust_log_is_read_if_log_level_is_not_set() {
    let directives = ("RUST_LOG", "anyhost_server=info,moved=error");
    let (child, address) = logging(&["hello"], &[directives]);
    assert!(get(address, "/").ends_with("hello"));
    let (code, stdout, _) = stop(child);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("drained") && !stdout.contains("a record"), "{stdout}");
}

#[test]
fn what_an_own_subscriber_leaves_out_and_must_be_read_is_on_stderr() {
    let (child, address) = silent(&["hello", "--own-subscriber"]);
    assert!(get(address, "/fails").contains(" 500 "));
    let (code, stdout, stderr) = stop(child);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stdout.contains("ready"), "the filter is the program's: {stdout}");
    for line in ["note: ", "anyhost_core=info,anyhost_server=info", "on purpose", "drained in "] {
        assert!(stderr.contains(line), "{line}: {stderr}");
    }
}

#[test]
fn a_stop_that_hangs_is_a_line_on_stderr_whatever_is_logged() {
    let (child, _) = logging(&["hello", "--hanging-stop"], &[("SHUTDOWN_GRACE", "1s")]);
    let (code, _, stderr) = stop(child);
    assert_eq!(code, Some(75), "{stderr}");
    assert!(stderr.starts_with("error: the App's stop did not end"), "{stderr}");
}

#[test]
fn a_subscriber_in_the_start_is_named_as_the_reason() {
    let words = ["hello", "--subscriber-in-start"];
    let pairs = [("PORT", "0"), ("HOST", "127.0.0.1")];
    let Output { status, stderr, .. } = command(&words, &pairs).output().expect("it runs");
    let stderr = String::from_utf8(stderr).expect("text");
    assert_eq!(status.code(), Some(70), "{stderr}");
    assert!(stderr.contains("error: the App sets up a tracing subscriber"), "{stderr}");
}
