//! The example `subject` as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use crate::PATIENCE;

/// A process that answers requests.
pub(crate) struct Subject {
    child: Child,
    pub(crate) address: String,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

/// What a process has said, and how it ended.
pub(crate) struct ProcessOutput {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Subject {
    /// Starts it with these variables, in its environment for the SDK and on its stdin for itself, and waits until it is
    /// ready.
    pub(crate) fn start(pairs: &[(&str, &str)]) -> Self {
        let subject = Self::spawn(pairs);
        while !subject.get("/readyz", "").starts_with("HTTP/1.1 200") {
            std::thread::yield_now();
        }
        subject
    }

    /// Starts it and does not wait: it may end by itself.
    pub(crate) fn spawn(pairs: &[(&str, &str)]) -> Self {
        let own = std::env::current_exe().expect("a test has a file");
        let built = own.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps");
        let mut command = Command::new(built.join("examples/subject"));
        command.env_clear().envs(pairs.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("cargo builds the example beside this test");
        let lines: String = pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(lines.as_bytes()).expect("it reads its settings");
        drop(stdin);
        let mut address = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout.read_line(&mut address).expect("an address");
        // Read to the end, so that it never waits for a reader.
        let (stdout, stderr) = (all(stdout), all(child.stderr.take().expect("piped")));
        Self { child, address: address.trim().to_owned(), stdout, stderr }
    }

    pub(crate) fn get(&self, path: &str, headers: &str) -> String {
        let socket = TcpStream::connect(&self.address).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time");
        ask(socket, path, headers)
    }

    /// Stops it as a host does.
    pub(crate) fn stop(self) -> ProcessOutput {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-s", "TERM", &id]).status();
        assert!(killed.expect("kill runs").success());
        let ended = self.wait();
        assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
        ended
    }

    /// Waits until it has ended.
    pub(crate) fn wait(mut self) -> ProcessOutput {
        let status = self.child.wait().expect("it ends");
        let [stdout, stderr] =
            [self.stdout, self.stderr].map(|reader| reader.join().expect("it is text"));
        ProcessOutput { status, stdout, stderr }
    }
}

fn all(mut reader: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    })
}

/// Asks on this connection and returns the whole response.
pub(crate) fn ask(mut socket: impl Read + Write, path: &str, headers: &str) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n{headers}\r\n");
    socket.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    answer
}
