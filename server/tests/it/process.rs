//! A server as a process of its own: signals, exit codes, what it prints.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::client::{Client, PATIENCE};

pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) address: SocketAddr,
}

/// The example `subject`, which `cargo test` builds beside this test.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a file");
    let built = own.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps");
    let program = built.join("examples/subject");
    assert!(
        program.exists(),
        "{} is missing: run `cargo test -p anyhost-server`",
        program.display()
    );
    program
}

/// The program with these settings.
async fn start(pairs: &[(&str, &str)]) -> Child {
    let mut command = Command::new(program());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the example runs");
    let lines: String = pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(lines.as_bytes()).await.expect("it reads its settings");
    child
}

impl Process {
    pub(crate) async fn with(pairs: &[(&str, &str)]) -> Self {
        let mut child = start(pairs).await;
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines.next_line().await.expect("readable").expect("an address");
        let process = Self { child, lines, address: address.parse().expect("an address") };
        // The first answer that is not 503 says that the App has started.
        while process.connect().await.get("/readyz").await.status != 200 {
            tokio::task::yield_now().await;
        }
        process
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub(crate) async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await.expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for the next line that it prints with these words.
    async fn says(&mut self, words: &str) {
        let said = async {
            while let Some(line) = self.lines.next_line().await.expect("readable") {
                if line.contains(words) {
                    return;
                }
            }
            panic!("it ended without {words:?}");
        };
        timeout(PATIENCE, said).await.expect("it says so in time");
    }

    /// The end of the process, and the lines it printed until then.
    pub(crate) async fn end(mut self) -> (ExitStatus, Vec<String>) {
        let mut printed = Vec::new();
        while let Some(line) = self.lines.next_line().await.expect("readable") {
            printed.push(line);
        }
        (self.child.wait().await.expect("it ends"), printed)
    }
}

#[tokio::test]
async fn either_signal_drains_and_exits_0_with_a_report() {
    for signal in ["TERM", "INT"] {
        let process = Process::with(&[]).await;
        let mut client = process.connect().await;
        client.send("GET /slow/300 HTTP/1.1\r\nhost: t\r\n\r\n").await;
        assert_eq!(process.connect().await.get("/").await.status, 200);
        process.signal(signal).await;
        assert_eq!(client.answer().await.text(), "slow");
        let (status, printed) = process.end().await;
        assert_eq!(status.code(), Some(0), "{signal}");
        let report = printed.iter().find(|line| line.contains("\"message\":\"drained\""));
        let report = report.unwrap_or_else(|| panic!("no report in {printed:#?}"));
        // The first request may not have been read yet, the other not have left the server's hands although its client
        // has the answer.
        let told = [0, 1, 2].map(|number| format!("\"in_flight\":{number},\"finished\":{number},"));
        assert!(told.iter().any(|told| report.contains(&**told)), "{report}");
        assert!(report.contains("\"aborted\":0"), "{report}");
        // A supervisor that follows the phases must be able to report the last one, however fast the drain was.
        assert!(
            printed.iter().any(|line| line == "the adapter has heard of the stop"),
            "{printed:#?}"
        );
    }
}

#[tokio::test]
async fn a_second_interrupt_ends_it_at_once_and_another_sigterm_does_not() {
    let mut process = Process::with(&[("SHUTDOWN_GRACE", "10m")]).await;
    let mut client = process.connect().await;
    client.send("GET /slow/600000 HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(process.connect().await.get("/").await.status, 200);
    process.signal("TERM").await;
    // New connections are refused once the drain has begun.
    while tokio::net::TcpStream::connect(process.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // Each is heard before the next is sent: two of one kind that arrive together are one.
    for signal in ["TERM", "INT"] {
        process.signal(signal).await;
        process.says("stopping already").await;
    }
    // It still works on what it has accepted: the client is neither answered nor let go.
    assert!(!client.has_more_within(Duration::from_millis(200)).await);
    process.signal("INT").await;
    let (status, _) = process.end().await;
    assert_eq!(status.code(), Some(75));
}

#[tokio::test]
async fn work_that_had_to_be_cut_off_is_a_warning_and_no_failure() {
    let process = Process::with(&[("SHUTDOWN_GRACE", "1s")]).await;
    let mut client = process.connect().await;
    client.send("GET /slow/600000 HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(process.connect().await.get("/").await.status, 200);
    process.signal("TERM").await;
    let (status, printed) = process.end().await;
    assert_eq!(status.code(), Some(0));
    assert!(printed.iter().any(|line| line.contains("\"aborted\":1")), "{printed:#?}");
    let warned = |line: &&String| line.contains("WARN") && line.contains("1 requests are cut off");
    assert!(printed.iter().any(|line| warned(&line)), "{printed:#?}");
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_start_is_one_line_and_an_exit_code() {
    for (variable, value, code, expected) in [
        ("KEEP_ALIVE", "soon", 78, "error: KEEP_ALIVE: expected a duration"),
        ("LOG_LEVEL", "loud", 78, "error: LOG_LEVEL: expected off, error"),
        ("START_FAILS", "no luck", 70, "error: no luck"),
        ("START_TAKES", "soon", 78, "error: START_TAKES: expected a duration"),
    ] {
        let mut child = start(&[(variable, value)]).await;
        let mut printed = String::new();
        let mut stderr = child.stderr.take().expect("piped");
        stderr.read_to_string(&mut printed).await.expect("readable");
        let status = child.wait().await.expect("it ends");
        assert_eq!(status.code(), Some(code), "{printed}");
        assert!(printed.starts_with(expected) && printed.lines().count() == 1, "{printed}");
    }
}
