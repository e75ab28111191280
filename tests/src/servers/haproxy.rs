//! HAProxy as a platform's router: it probes readiness, reuses connections, and retries nothing.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ground::{self, User};
use crate::process::Process;
use crate::wait::eventually;

/// A router in front of processes on loopback ports.
///
/// It notices a stopping process late, by two failed probes 200 ms apart. A request that a
/// process loses is lost, because nothing is retried (`retries 0`), and connections to processes are
/// shared between clients from their first request on (`http-reuse always`).
#[derive(Debug)]
pub struct Haproxy {
    folder: PathBuf,
    port: u16,
    process: Process,
}

impl Haproxy {
    /// Starts it in front of these ports, which need not have listeners yet.
    ///
    /// # Panics
    /// If `haproxy` is not installed, with the name of its package.
    #[must_use]
    pub fn start(backends: &[u16]) -> Self {
        Self::with(backends, "")
    }

    /// Starts it with this limit on the time for a response.
    #[must_use]
    pub fn patient(backends: &[u16], patience: Duration) -> Self {
        Self::begin(backends, "", patience)
    }

    /// Starts it with further options for each backend, such as `send-proxy`.
    #[must_use]
    pub fn with(backends: &[u16], words: &str) -> Self {
        Self::begin(backends, words, Duration::from_secs(60))
    }

    fn begin(backends: &[u16], words: &str, patience: Duration) -> Self {
        let program = ground::program(&["/usr/sbin/haproxy"], "haproxy");
        let folder = ground::folder("haproxy", &User("root"));
        let port = ground::port();
        let file = folder.join("haproxy.cfg");
        let text = configuration(&folder, port, backends, words, patience);
        fs::write(&file, text).expect("the folder is ours");
        let arguments = ["-db", "-f", file.to_str().expect("a plain path")];
        let process = Process::start(&program, &arguments, &folder, &[]);
        ground::leave_pid(&folder, &process);
        let haproxy = Self { folder, port, process };
        eventually("haproxy listens", || {
            assert!(
                haproxy.process.exit_within(Duration::ZERO).is_none(),
                "{}",
                haproxy.process.log().text()
            );
            UnixStream::connect(haproxy.folder.join("control")).ok()
        });
        haproxy
    }

    /// The address for its clients.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Waits until it sends requests to exactly these ports.
    #[track_caller]
    pub fn wait_until_it_knows(&self, ports: &[u16]) {
        let mut ports = ports.to_vec();
        ports.sort_unstable();
        eventually(&format!("haproxy sends to {ports:?}"), || (self.up() == ports).then_some(()));
    }

    /// What it has written: every change of a backend's state.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log().text()
    }

    fn up(&self) -> Vec<u16> {
        let answer = self.ask("show stat -1 4 -1");
        let mut up: Vec<u16> = answer
            .lines()
            .map(|line| line.split(',').collect::<Vec<_>>())
            .filter(|fields| fields.len() > 17 && fields[17].starts_with("UP"))
            .filter_map(|fields| fields[1].strip_prefix("at-")?.parse().ok())
            .collect();
        up.sort_unstable();
        up
    }

    fn ask(&self, question: &str) -> String {
        let mut socket = UnixStream::connect(self.folder.join("control")).expect("it listens");
        socket.write_all(format!("{question}\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers");
        answer
    }
}

fn configuration(
    folder: &Path,
    port: u16,
    backends: &[u16],
    words: &str,
    patience: Duration,
) -> String {
    let patience = patience.as_millis();
    let folder = folder.display();
    let mut text = format!(
        "\
global
    log stdout format raw local0 notice
    nbthread 1
    stats socket {folder}/control
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server {patience}ms
    timeout check 1s
    retries 0
    http-reuse always
frontend front
    bind 127.0.0.1:{port}
    default_backend app
backend app
    log global
    balance roundrobin
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr host router
    http-check expect status 200
    default-server check inter 200ms fall 2 rise 1 {words}
"
    );
    for port in backends {
        writeln!(text, "    server at-{port} 127.0.0.1:{port}").expect("strings grow");
    }
    text
}
