//! Hostile clients: slow ones, too many at once, and ones whose requests two servers would read differently.
//!
//! Long because each kind of hostile client is a test here, most of them with a table of inputs.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhost_tests::load::{Address, Clients, Load};
use anyhost_tests::process::{PATIENCE, Process, Signal};
use anyhost_tests::wait::eventually;
use http::Request;
use http_body_util::Full;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{Instance, launch};

/// slowhttptest opens 2,000 connections that each send a header line now and then, and normal clients
/// send 1,000 requests a second.
#[test]
fn slow_clients_by_the_thousand_keep_nobody_from_being_served() {
    let program = Path::new("/usr/bin/slowhttptest");
    assert!(program.exists(), "{} is missing: apt-get install slowhttptest", program.display());
    // Patience longer than the load takes on the slowest machine: the attack must outlast it.
    let instance = Instance::start("echo-paas", &[("HEADER_TIMEOUT", "300s")]);
    let url = format!("http://127.0.0.1:{}/", instance.port);
    let idle = memory(&instance);
    let folder = tempfile::TempDir::new().expect("a folder for temporary files");
    // A header line every ten seconds until it is stopped, all connections within the first two.
    let arguments =
        ["-H", "-c", "2000", "-r", "1000", "-i", "10", "-l", "300", "-t", "GET", "-u", &url];
    let slow = Process::start(program, &arguments, folder.path(), &[("TERM", "dumb")]);
    eventually("2,000 connections are open", || (sockets(&instance) >= 2000).then_some(()));
    let clients = Clients {
        address: Address::Tcp(instance.address()),
        count: 50,
        keep_alive: true,
        every: Some(Duration::from_millis(50)),
    };
    let load = Load::start(clients, |_| {
        Request::builder().uri("/").header("host", "test").body(Full::default()).expect("plain")
    });
    load.wait_for(6_000);
    let (open, loaded) = (sockets(&instance), memory(&instance));
    let report = load.finish();
    println!("beside {open} slow connections: {report}");
    println!("memory: {idle} KiB idle, {loaded} KiB under attack");
    assert_eq!(report.failed(), 0, "{report}");
    assert!(open >= 1500, "the attack was over too early: {open} connections");
    // 2,000 connections of a few buffers each, not of a few megabytes.
    assert!(loaded - idle < 64 * 1024, "{idle} KiB grew to {loaded} KiB");
    drop(slow);
    let mut after = Wire::to(instance.port);
    assert_eq!(after.get("/").status, 200);
}

#[test]
fn a_slow_head_is_let_go_after_the_header_timeout() {
    let instance = Instance::start("echo-paas", &[("HEADER_TIMEOUT", "300ms")]);
    let mut slow = Wire::to(instance.port);
    slow.write("GET / HTTP/1.1\r\nhost: te");
    assert_eq!(slow.answer().status, 408);
    assert!(slow.is_closed());
}

#[test]
fn a_flood_beyond_capacity_is_shed_at_once_and_memory_stays_bounded() {
    let instance = Instance::start("echo-paas", &[("MAX_IN_FLIGHT", "8")]);
    // Eight requests take all there is, and stay.
    let mut holding: Vec<_> = (0..8).map(|_| Wire::to(instance.port)).collect();
    holding.iter_mut().for_each(|wire| wire.begin_upload(5));
    let idle = memory(&instance);
    let mut slowest = Duration::ZERO;
    let mut flood: Vec<_> = (0..500).map(|_| Wire::to(instance.port)).collect();
    for round in 0..4 {
        for wire in &mut flood {
            let begun = Instant::now();
            let answer = wire.get("/");
            slowest = slowest.max(begun.elapsed());
            assert_eq!(answer.status, 503, "round {round}");
            assert!(answer.head.to_ascii_lowercase().contains("retry-after:"), "{}", answer.head);
        }
    }
    let flooded = memory(&instance);
    println!(
        "2,000 requests shed, the slowest in {:.1} ms; {idle} KiB grew to {flooded} KiB",
        slowest.as_secs_f64() * 1e3
    );
    assert!(flooded - idle < 32 * 1024, "{idle} KiB grew to {flooded} KiB");
    // Probes are no work: the platform must not kill what is merely busy.
    assert_eq!(Wire::to(instance.port).get("/livez").status, 200);
    assert_eq!(Wire::to(instance.port).get("/readyz").status, 200);
    // Those that were in are answered, and then there is room again.
    for wire in &mut holding {
        wire.write("hello");
        assert_eq!(wire.answer().status, 200);
    }
    assert_eq!(Wire::to(instance.port).get("/").status, 200);
}

/// Requests that another server may read differently, each followed by one that must not be heard.
#[test]
fn what_two_servers_may_read_differently_is_400_and_the_end_of_the_connection() {
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: test\r\n\r\n";
    let cases: &[(&str, &str)] = &[
        (
            "length and chunks",
            "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunks and length",
            "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunked twice",
            "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunked, spelt wrong",
            "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "identity",
            "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: identity\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "chunked before gzip",
            "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunks of a vertical tab",
            "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunks in HTTP/1.0",
            "POST / HTTP/1.0\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "a folded coding",
            "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        ),
        ("a folded header", "GET / HTTP/1.1\r\nhost: test\r\nx-folded: a\r\n b\r\n\r\n"),
        ("a first line that is folded", "GET / HTTP/1.1\r\n host: test\r\n\r\n"),
        ("a bare line feed in the head", "GET / HTTP/1.1\r\nhost: test\nx-a: 1\r\n\r\n"),
        ("bare line feeds alone", "GET / HTTP/1.1\nhost: test\n\n"),
        ("a bare line feed after the first line", "GET / HTTP/1.1\nhost: test\r\n\r\n"),
        ("a bare carriage return", "GET / HTTP/1.1\r\nhost: test\rx-a: 1\r\n\r\n"),
        (
            "two lengths",
            "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\ncontent-length: 4\r\n\r\n",
        ),
        ("a list of lengths", "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 0, 4\r\n\r\n"),
        ("a signed length", "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: +0\r\n\r\n"),
        ("a negative length", "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: -1\r\n\r\n"),
        ("a length in hexadecimal", "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 0x0\r\n\r\n"),
        ("an empty length", "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: \r\n\r\n"),
        (
            "a length beyond all",
            "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        ),
        ("a space before the colon", "POST / HTTP/1.1\r\nhost: test\r\ncontent-length : 0\r\n\r\n"),
        ("a name with a space", "GET / HTTP/1.1\r\nhost: test\r\nx a: 1\r\n\r\n"),
        ("a line without a colon", "GET / HTTP/1.1\r\nhost: test\r\nnonsense\r\n\r\n"),
        ("a NUL in a value", "GET / HTTP/1.1\r\nhost: test\r\nx-a: \0\r\n\r\n"),
        ("no host", "GET / HTTP/1.1\r\nx-a: 1\r\n\r\n"),
        ("two hosts", "GET / HTTP/1.1\r\nhost: test\r\nhost: other\r\n\r\n"),
        ("the same host twice", "GET / HTTP/1.1\r\nhost: test\r\nhost: test\r\n\r\n"),
        ("a host that is none", "GET / HTTP/1.1\r\nhost: te st\r\n\r\n"),
        ("a host with a path", "GET / HTTP/1.1\r\nhost: test/path\r\n\r\n"),
        ("a host with a user", "GET / HTTP/1.1\r\nhost: user@test\r\n\r\n"),
        ("two hosts in one", "GET / HTTP/1.1\r\nhost: test, other\r\n\r\n"),
        ("a space in the target", "GET /a b HTTP/1.1\r\nhost: test\r\n\r\n"),
        ("no version", "GET /\r\nhost: test\r\n\r\n"),
        ("a version that is none", "GET / HTTP/1.one\r\nhost: test\r\n\r\n"),
        ("a method with a colon", "GE:T / HTTP/1.1\r\nhost: test\r\n\r\n"),
        (
            "a chunk size with a sign",
            "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n+0\r\n\r\n",
        ),
        (
            "a chunk size beyond all",
            "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        ),
        (
            "a chunk line that ends in a bare line feed",
            "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n0\n\n",
        ),
    ];
    let mut wrong = Vec::new();
    for program in ["echo-paas", "echo-vm"] {
        let instance = Instance::start(program, &[]);
        for (name, bytes) in cases {
            let mut wire = Wire::to(instance.port);
            wire.offer(bytes);
            wire.offer(smuggled);
            let answer = wire.try_answer();
            let rest = wire.rest();
            let refused = answer.as_ref().is_ok_and(|answer| answer.status == 400);
            if !refused || !rest.is_empty() {
                let answer =
                    answer.map(|answer| answer.head.lines().next().unwrap_or_default().to_owned());
                wrong.push(format!("{program}, {name}: {answer:?}, then {rest:?}"));
            }
        }
        assert_eq!(Wire::to(instance.port).get("/").status, 200);
        instance.tell(Signal::TERM);
        assert_eq!(instance.exit_code(PATIENCE), 0);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A body that is malformed, cut off or missing is the client's fault, whatever the App makes of it, and the
/// operator's log has no line about it.
#[test]
fn a_wrong_body_is_the_clients_fault_and_no_line_of_the_log() {
    let folder = tempfile::TempDir::new().expect("a folder for temporary files");
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("notes.db").display());
    let environment = [("DATABASE_URL", url.as_str()), ("BODY_TIMEOUT", "300ms")];
    let (migration, _folder) = launch("notes-paas", &["migrate"], &environment[..1]);
    assert!(migration.wait_for_exit(PATIENCE).success(), "{}", migration.log().text());
    let instance = Instance::start("notes-paas", &environment);
    let head = "POST /notes HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n";
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let mut wrong = Vec::new();
    for (body, cut, status) in [
        ("+1\r\n{\r\n0\r\n\r\n", false, 400),
        ("1\n{\r\n0\r\n\r\n", false, 400),
        ("1;x\n{\r\n0\r\n\r\n", false, 400),
        ("1\r\n{{\r\n0\r\n\r\n", false, 400),
        ("10000000000000000\r\n", false, 400),
        ("1\r\n{\r\n0\r\nx\r\n\r\n", false, 400),
        ("zz\r\n", false, 400),
        ("5\r\n{\"ti", true, 400),
        ("5\r\n{\"ti", false, 408),
    ] {
        let mut wire = Wire::to(instance.port);
        wire.offer(format!("{chunked}{body}"));
        if cut {
            wire.end();
        }
        let answer = wire.try_answer().map(|answer| answer.status);
        if answer != Ok(status) || !wire.is_closed() {
            wrong.push(format!("{body:?}, cut: {cut}: {answer:?}"));
        }
    }
    for length in [100, 100_000] {
        for (cut, status) in [(true, 400), (false, 408)] {
            let mut wire = Wire::to(instance.port);
            wire.offer(format!("{head}content-length: {length}\r\n\r\n{{\"ti"));
            if cut {
                wire.end();
            }
            let answer = wire.try_answer().map(|answer| answer.status);
            if answer != Ok(status) {
                wrong.push(format!("length {length}, cut: {cut}: {answer:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(Wire::to(instance.port).get("/notes").status, 200);
    let log = instance.process.log().text();
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
}

/// A byte now and then keeps every other timeout from firing.
#[test]
fn a_body_that_trickles_is_408() {
    let instance = Instance::start("echo-paas", &[]);
    let mut wire = Wire::to(instance.port);
    wire.begin_upload(100_000);
    let until = Instant::now() + PATIENCE;
    while !wire.has_more_within(Duration::from_millis(100)) {
        assert!(Instant::now() < until, "it is read for ever");
        wire.offer("x");
    }
    assert_eq!(wire.answer().status, 408);
    assert!(wire.is_closed());
}

/// An HTTP/2 client that answers pings that were not sent cannot fill the log.
#[test]
fn unasked_answers_to_pings_are_no_lines_of_the_log() {
    let instance = Instance::start("echo-paas", &[("LOG_LEVEL", "info")]);
    let mut wire = Wire::to(instance.port);
    wire.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let pong = b"\0\0\x08\x06\x01\0\0\0\0unasked.";
    for _ in 0..100 {
        wire.offer(pong.repeat(1000));
    }
    // Behind them all a ping that must be answered: all before it were read, or the connection is gone.
    wire.offer(b"\0\0\x08\x06\0\0\0\0\0answer..");
    let _ = wire.until_or_end("answer..");
    assert_eq!(Wire::to(instance.port).get("/").status, 200);
    let lines = instance.process.log().lines();
    assert!(lines.len() < 10, "{} lines", lines.len());
}

/// The server does not take an unread body for the head of the next request: it closes the connection without a 408.
#[test]
fn a_body_that_comes_after_its_answer_is_no_408() {
    let instance = Instance::start("echo-paas", &[("HEADER_TIMEOUT", "300ms")]);
    for target in ["/r/missing", "/livez", "/r/text"] {
        let mut wire = Wire::to(instance.port);
        wire.write(format!(
            "POST {target} HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n"
        ));
        let answer = wire.answer();
        assert!(
            answer.status < 408 && answer.says("connection: close"),
            "{target}: {}",
            answer.head
        );
        wire.offer("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\nhost: test\r\n\r\n");
        assert_eq!(wire.rest(), "", "{target}");
    }
}

#[test]
fn a_head_without_an_end_is_431_or_413_and_no_memory() {
    endless("GET / HTTP/1.1\r\nhost: test\r\nx-long: ", b'a', 431);
}

#[test]
fn a_chunk_line_or_a_trailer_without_an_end_is_400_and_no_memory() {
    let head = "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    for (begun, byte) in [("3;", b'a'), ("0", b'0'), ("0\r\nx-long: ", b'a')] {
        endless(&format!("{head}{begun}"), byte, 400);
    }
}

/// Sends a request that never ends, and checks the status of its answer and that none of it is kept in memory.
#[track_caller]
fn endless(begun: &str, byte: u8, status: u16) {
    let instance = Instance::start("echo-paas", &[]);
    let before = memory(&instance);
    let mut wire = Wire::to(instance.port);
    wire.write(begun);
    let piece = vec![byte; 64 * 1024];
    for _ in 0..256 {
        wire.offer(&piece);
    }
    let answer = wire.try_answer();
    // While the client still writes, the end of the connection may come before the answer is read.
    assert!(answer.as_ref().map_or(true, |answer| answer.status == status), "{answer:?}");
    let grown = memory(&instance).saturating_sub(before);
    assert!(grown < 4 * 1024, "16 MiB of {begun:?} grew the process by {grown} KiB");
}

/// Memory in use, in KiB.
fn memory(instance: &Instance) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", instance.process.id()));
    let status = status.expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a kernel line");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// Open file descriptors of the process, most of them connections.
fn sockets(instance: &Instance) -> usize {
    fs::read_dir(format!("/proc/{}/fd", instance.process.id())).expect("it runs").count()
}
