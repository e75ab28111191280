//! Sockets that a service manager hands over, and restarts that fail no connection because of them.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::time::Duration;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{launch, port_of};
use anyhost_tests::load::{Address, Clients, Load, Report};
use anyhost_tests::process::{PATIENCE, Process, Signal, binary};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tempfile::TempDir;

#[test]
fn sockets_that_are_handed_over_are_served_by_their_number() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("app");
    let (tcp, unix) = (TcpListener::bind("127.0.0.1:0"), UnixListener::bind(&path));
    let (tcp, unix) = (tcp.expect("a port"), unix.expect("a new path"));
    let address = tcp.local_addr().expect("bound");
    let sockets: Vec<OwnedFd> = vec![tcp.into(), unix.into()];
    let names = [("LISTEN_FDNAMES", "http:notes.socket")];
    let process = Process::start_with_sockets(&binary("echo-vm"), folder.path(), &names, sockets);
    process.wait_for_line(&["\"ready\""]);
    assert_eq!(Wire::try_to(address).expect("it is listened on").get("/").status, 200);
    let line = process.wait_for_line(&["listening on unix:"]);
    assert!(line.contains(&path.display().to_string()), "{line}");
    let load = Load::start(
        Clients { address: Address::Unix(path), count: 1, keep_alive: false, every: None },
        |_| Request::builder().header("host", "test").body(Full::default()).expect("plain"),
    );
    load.wait_for(10);
    assert_eq!(load.finish().failed(), 0);
    // The process listens on no other address.
    let lines = process.log().lines();
    assert_eq!(lines.iter().filter(|line| line.contains("listening on")).count(), 2, "{lines:?}");
}

/// `LISTEN` adds to what was handed over, and an address that is there already is not bound twice.
#[test]
fn listen_adds_to_what_is_handed_over() {
    let folder = TempDir::new().expect("a folder");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    let listen = format!("{address}, 127.0.0.1:0");
    let environment = [("LISTEN", listen.as_str())];
    let sockets = vec![socket.into()];
    let process =
        Process::start_with_sockets(&binary("echo-vm"), folder.path(), &environment, sockets);
    process.wait_for_line(&["\"ready\""]);
    let lines = process.log().lines();
    let listens: Vec<_> = lines.iter().filter(|line| line.contains("listening on")).collect();
    assert!(listens.len() == 2 && listens[0].contains(&address.to_string()), "{listens:?}");
    assert_eq!(Wire::try_to(address).expect("it is listened on").get("/").status, 200);
}

#[test]
fn sockets_that_are_somebody_elses_or_none_are_not_taken() {
    // Left over from a parent.
    let environment = [("LISTEN", "127.0.0.1:0"), ("LISTEN_PID", "1"), ("LISTEN_FDS", "1")];
    let (process, _folder) = launch("echo-vm", &[], &environment);
    assert_eq!(Wire::to(port_of(&process)).get("/").status, 200);

    let folder = TempDir::new().expect("a folder");
    let file: OwnedFd = fs::File::create(folder.path().join("file")).expect("a file").into();
    let idle: OwnedFd = UnixDatagram::unbound().expect("a socket").into();
    for (socket, names, code, words) in [
        (file, "http", 71, "descriptor 3 (http)"),
        (idle, "http", 71, "descriptor 3"),
        (TcpListener::bind("127.0.0.1:0").expect("a port").into(), "a:b", 78, "LISTEN_FDNAMES"),
    ] {
        let environment = [("LISTEN_FDNAMES", names)];
        let process = Process::start_with_sockets(
            &binary("echo-vm"),
            folder.path(),
            &environment,
            vec![socket],
        );
        process.wait_for_line(&["error: ", words]);
        assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(code), "{names}");
    }
}

/// Restarts under load.
const RESTARTS: usize = 20;

/// The manager holds the socket: a client that connects while no process runs waits for the next one.
#[test]
fn restarts_fail_no_connection_where_the_socket_is_handed_over() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("bound").port();
    let folder = TempDir::new().expect("a folder");
    let report = restarts(port, || {
        let copy = socket.try_clone().expect("a descriptor").into();
        Process::start_with_sockets(&binary("echo-vm"), folder.path(), &[], vec![copy])
    });
    println!("{RESTARTS} restarts: {report}");
    assert_eq!(report.failed(), 0, "{report}");
}

/// The control: a process that binds by itself turns clients away between two lives.
#[test]
fn restarts_fail_connections_where_each_process_binds_for_itself() {
    let listen = format!("127.0.0.1:{}", anyhost_tests::servers::port());
    let port = listen.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
    let folder = TempDir::new().expect("a folder");
    let report = restarts(port, || {
        Process::start(&binary("echo-vm"), &[], folder.path(), &[("LISTEN", &listen)])
    });
    println!("{RESTARTS} restarts without a socket of the manager's: {report}");
    assert!(report.failed() > 0, "{report}");
}

fn restarts(port: u16, start: impl Fn() -> Process) -> Report {
    let mut process = start();
    process.wait_for_line(&["\"ready\""]);
    let clients = Clients {
        address: Address::Tcp(([127, 0, 0, 1], port).into()),
        count: 8,
        keep_alive: false,
        every: Some(Duration::from_millis(10)),
    };
    let load = Load::start(clients, |number| {
        let body = Full::new(Bytes::from(format!("request {number}")));
        let request = Request::builder().method("POST").uri("/r/text").header("host", "test");
        request.body(body).expect("a plain request")
    });
    for _ in 0..RESTARTS {
        load.wait_for(load.requests() + 20);
        process.signal(Signal::TERM);
        assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0), "{}", process.log().text());
        process = start();
        // Before that it may not have caught the signal yet, which would end it.
        process.wait_for_line(&["\"ready\""]);
    }
    load.wait_for(load.requests() + 100);
    load.finish()
}
