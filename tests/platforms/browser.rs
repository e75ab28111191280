//! A real browser's WebSocket, straight to a process and through the routers before it, to the end of a drain.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhost_tests::fleet::Instance;
use anyhost_tests::process::{PATIENCE, Process, Signal};
use anyhost_tests::servers::{Haproxy, Nginx};
use tempfile::TempDir;

const PROGRAM: &str = "/usr/bin/chromium-headless-shell";

/// Sends messages one by one, compares what comes back, reports that, and then how the connection was closed.
const PAGE: &str = r#"<!doctype html><script>
const sizes = [0, 1, 125, 126, 65535, 65536, 1048576];
const report = text => fetch('/report', { method: 'POST', body: text });
const socket = new WebSocket('ws://127.0.0.1:PORT/r/websocket');
const send = () => socket.send(new Uint8Array(sizes[0]).fill(7));
socket.binaryType = 'arraybuffer';
socket.onopen = send;
socket.onmessage = event => {
  const bytes = new Uint8Array(event.data);
  if (bytes.length !== sizes.shift() || bytes.some(byte => byte !== 7)) report('a wrong message');
  else if (sizes.length > 0) send();
  else report('all came back');
};
socket.onclose = event => report('closed with ' + event.code);
</script>"#;

/// Serves the page, and hands on what it reports.
fn serve(listener: &TcpListener, page: &str, reports: &Sender<String>) {
    for stream in listener.incoming().map_while(Result::ok) {
        let mut reader = BufReader::new(&stream);
        let (mut first, mut length) = (String::new(), 0);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            if first.is_empty() {
                first.clone_from(&line);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the browser sends what it announced");
        let text = if first.starts_with("GET / ") { page } else { "" };
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n";
        let _ = write!(&stream, "{head}content-length: {}\r\n\r\n{text}", text.len());
        if first.starts_with("POST /report ") {
            let _ = reports.send(String::from_utf8(body).expect("a text"));
        }
    }
}

/// A browser that has opened the page about the WebSocket on this port.
struct Browser {
    process: Process,
    reports: Receiver<String>,
    _folder: TempDir,
}

impl Browser {
    fn open(port: u16) -> Self {
        assert!(
            Path::new(PROGRAM).exists(),
            "{PROGRAM} is missing: tests/platforms/install-deployments"
        );
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        let (report, reports) = channel();
        let page = PAGE.replace("PORT", &port.to_string());
        thread::spawn(move || serve(&listener, &page, &report));
        let folder = TempDir::new().expect("a folder for temporary files");
        let profile = format!("--user-data-dir={}", folder.path().display());
        // Without a debugging port it would leave once the page is there.
        let arguments =
            ["--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", &profile, &url];
        let process = Process::start(Path::new(PROGRAM), &arguments, folder.path(), &[]);
        Self { process, reports, _folder: folder }
    }

    #[track_caller]
    fn reports(&self, expected: &str) {
        match self.reports.recv_timeout(PATIENCE) {
            Ok(report) => assert_eq!(report, expected),
            Err(error) => panic!("no report: {error}\n{}", self.process.log().text()),
        }
    }
}

/// A port whose connections are forwarded to a Unix socket, because a browser connects only to ports.
fn port_before(socket: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for front in listener.incoming().map_while(Result::ok) {
            let back = UnixStream::connect(&socket).expect("the router listens");
            let copy = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
            let (mut read, mut write) = (copy(&front), front);
            let (mut to, mut from) = (back.try_clone().expect("a descriptor"), back);
            thread::spawn(move || {
                let _ = std::io::copy(&mut read, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut write);
                let _ = write.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    port
}

#[track_caller]
fn comes_back_and_is_closed_with_1001(instance: &Instance, port: u16) {
    let browser = Browser::open(port);
    browser.reports("all came back");
    instance.tell(Signal::TERM);
    browser.reports("closed with 1001");
    assert_eq!(instance.exit_code(PATIENCE), 0);
}

#[test]
fn a_browsers_messages_come_back_and_a_drain_closes_with_1001() {
    let instance = Instance::start("echo-paas", &[]);
    comes_back_and_is_closed_with_1001(&instance, instance.port);
}

#[test]
fn a_browsers_messages_come_back_through_haproxy() {
    let instance = Instance::start("echo-paas", &[]);
    let haproxy = Haproxy::start(&[instance.port]);
    haproxy.wait_until_it_knows(&[instance.port]);
    comes_back_and_is_closed_with_1001(&instance, haproxy.address().port());
}

#[test]
fn a_browsers_messages_come_back_through_nginx() {
    let instance = Instance::start("echo-paas", &[]);
    let nginx = Nginx::start(&[instance.port]);
    comes_back_and_is_closed_with_1001(&instance, port_before(nginx.socket()));
}
