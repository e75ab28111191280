//! An actix-web application as a process: its bodies take no memory, and its stop loses no request.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::Instance;
use anyhost_tests::load::{Address, Clients, Load};
use anyhost_tests::process::{PATIENCE, Signal};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

const MEBIBYTE: usize = 1 << 20;

/// How much a process may grow in KiB while 1 GiB passes through it.
const ALLOWED: u64 = 16 << 10;

fn streams() -> (Instance, u64) {
    let instance = Instance::start(env!("CARGO_BIN_EXE_streams-actix"), &[("MAX_BODY", "1G")]);
    assert_eq!(Wire::to(instance.port).get("/send/1").status, 200);
    let before = memory(&instance, "VmRSS:");
    (instance, before)
}

#[test]
fn a_download_of_1_gib_grows_the_process_by_less_than_16_mib() {
    let (instance, before) = streams();
    let mut socket = TcpStream::connect(instance.address()).expect("it listens");
    let request = b"GET /send/1024 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    socket.write_all(request).expect("it reads");
    let mut buffer = vec![0; MEBIBYTE];
    let mut read = 0;
    loop {
        match socket.read(&mut buffer).expect("it sends") {
            0 => break,
            now => read += now,
        }
    }
    assert!(read > 1024 * MEBIBYTE, "{read} bytes");
    let grown = memory(&instance, "VmHWM:").saturating_sub(before);
    println!("a download of 1 GiB grew the process by {grown} KiB");
    assert!(grown < ALLOWED, "{grown} KiB");
}

#[test]
fn an_upload_of_1_gib_grows_the_process_by_less_than_16_mib() {
    let (instance, before) = streams();
    let mut wire = Wire::to(instance.port);
    let length = 1024 * MEBIBYTE;
    wire.write(format!("POST /count HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n"));
    let chunk = vec![b'x'; MEBIBYTE];
    for _ in 0..1024 {
        wire.write(&chunk);
    }
    assert_eq!(wire.answer().body, length.to_string());
    let grown = memory(&instance, "VmHWM:").saturating_sub(before);
    println!("an upload of 1 GiB grew the process by {grown} KiB");
    assert!(grown < ALLOWED, "{grown} KiB");
}

#[test]
fn a_stop_under_load_loses_no_request() {
    let instance = Instance::start("echo-actix-paas", &[("LAME_DUCK", "1s")]);
    let clients = Clients {
        address: Address::Tcp(instance.address()),
        count: 16,
        keep_alive: true,
        every: None,
    };
    let load = Load::start(clients, |number| {
        let request = Request::builder().uri(format!("/{number}")).header("host", "test");
        request.body(Full::new(Bytes::new())).expect("a request")
    });
    load.wait_for(500);
    instance.tell(Signal::TERM);
    let told = load.requests();
    assert_eq!(instance.exit_code(PATIENCE), 0);
    let report = load.finish();
    let lost: Vec<_> = report.failures.iter().filter(|(why, _)| !nobody_listens(why)).collect();
    let answered = report.requests - report.failed();
    println!("{answered} answered, {} of them after the signal", answered.saturating_sub(told));
    assert!(lost.is_empty(), "{lost:?}");
    assert!(answered > told, "some are answered after the signal");
}

/// Once the process is gone, connecting fails, and no request is lost by it: the connection is refused, or reset if the
/// listener is closed within its handshake.
fn nobody_listens(why: &str) -> bool {
    why.starts_with("connect: ") && (why.contains("refused") || why.contains("reset"))
}

/// A value of the process's `/proc` status, in KiB.
fn memory(instance: &Instance, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", instance.process.id()));
    let status = status.expect("it runs");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a line of the kernel's");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}
