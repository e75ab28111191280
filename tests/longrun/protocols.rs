//! Protocols around HTTP/1.1, spoken by third-party programs: PROXY and HTTP/2 by haproxy, TLS by curl.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhost_tests::connection::Wire;
use anyhost_tests::doors::Certificate;
use anyhost_tests::fleet::{Instance, launch, port_of};
use anyhost_tests::load::{Address, Clients, Load};
use anyhost_tests::process::{PATIENCE, Process, Signal};
use anyhost_tests::servers::{Haproxy, port};
use anyhost_tests::wire::SeenRequest;
use http::Request;
use http_body_util::Full;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;

/// A client that is not the proxy, and yet on this machine.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

#[test]
fn the_client_is_the_one_that_haproxy_names_in_its_proxy_header() {
    for words in ["send-proxy", "send-proxy-v2"] {
        let (process, _folder) = proxied("127.0.0.1");
        let port = port_of(&process);
        let haproxy = Haproxy::with(&[port], words);
        // Its probes come with a header in which it asks for itself.
        haproxy.wait_until_it_knows(&[port]);
        let answer = from(CLIENT, haproxy.address());
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        let client = SeenRequest::parse(body.as_bytes()).client_ip;
        assert_eq!(client, Some(CLIENT.to_string()), "{words}");
    }
}

#[test]
fn without_a_header_of_a_trusted_proxy_a_connection_is_closed_without_a_word() {
    // Trusted, and it sends none; not trusted, and it sends one.
    for (trusted, words) in [("127.0.0.1", ""), ("10.0.0.0/8", "send-proxy-v2")] {
        let (process, _folder) = proxied(trusted);
        let port = port_of(&process);
        process.wait_for_line(&["ready"]);
        let mut wire = Wire::to(port);
        wire.offer("GET / HTTP/1.1\r\nhost: t\r\n\r\n");
        assert!(wire.is_closed());
        let line = process.wait_for_line(&["without a PROXY header is closed"]);
        assert!(line.contains("127.0.0.1"), "{line}");
        let haproxy = Haproxy::with(&[port], words);
        let answer = from(CLIENT, haproxy.address());
        // Before or after its probes have failed, haproxy says itself that it has nothing.
        let status = answer.split(' ').nth(1);
        assert!(matches!(status, Some("502" | "503")), "{trusted}: {answer}");
    }
}

/// A program that speaks PROXY with whom it trusts.
fn proxied(trusted: &str) -> (Process, TempDir) {
    let listen = ("LISTEN", "127.0.0.1:0");
    launch("echo-vm", &[], &[listen, ("PROXY_PROTOCOL", "on"), ("TRUSTED_PROXIES", trusted)])
}

/// Asks from an address of one's own and gives the whole answer.
fn from(client: Ipv4Addr, address: SocketAddr) -> String {
    runtime(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind((client, 0).into())?;
        let mut stream = socket.connect(address).await?;
        stream.write_all(b"GET / HTTP/1.0\r\nhost: t\r\n\r\n").await?;
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await??;
        Ok(answer)
    })
}

fn runtime<T>(work: impl Future<Output = std::io::Result<T>>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work).expect("a connection")
}

/// The connections between haproxy and the processes are HTTP/2 without TLS; one process after the other
/// goes away under load.
#[test]
fn no_request_is_lost_behind_haproxy_that_speaks_http_2() {
    let environment = [("LAME_DUCK", "1500ms")];
    let [first, second] = [port(), port()];
    let old = Instance::on(first, "echo-paas", &environment);
    let haproxy = Haproxy::with(&[first, second], "proto h2");
    haproxy.wait_until_it_knows(&[first]);
    let clients = Clients {
        address: Address::Tcp(haproxy.address()),
        count: 8,
        keep_alive: true,
        every: None,
    };
    let load = Load::start(clients, |_| {
        Request::builder().uri("/").header("host", "test").body(Full::default()).expect("plain")
    });
    load.wait_for(500);
    let new = Instance::on(second, "echo-paas", &environment);
    haproxy.wait_until_it_knows(&[first, second]);
    load.wait_for(load.requests() + 500);
    old.tell(Signal::TERM);
    assert_eq!(old.exit_code(PATIENCE), 0, "{}", old.process.log().text());
    haproxy.wait_until_it_knows(&[second]);
    load.wait_for(load.requests() + 500);
    let report = load.finish();
    println!("behind haproxy with HTTP/2: {report}");
    assert_eq!(report.failed(), 0, "{report}\n{}", haproxy.log());
    drop(new);
}

#[test]
fn a_new_certificate_is_taken_while_connections_go_on_and_a_wrong_one_is_not() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let first = Certificate::new(folder.path());
    let [chain, key] = ["certificate.pem", "key.pem"].map(|file| folder.path().join(file));
    let environment = [
        ("LISTEN", "tls://127.0.0.1:0"),
        ("TLS_CERTIFICATE", chain.to_str().expect("a plain path")),
        ("TLS_KEY", key.to_str().expect("a plain path")),
    ];
    let (process, _folder) = launch("echo-vm", &[], &environment);
    let address = SocketAddr::from(([127, 0, 0, 1], port_of(&process)));
    process.wait_for_line(&["ready"]);
    runtime(async {
        let mut open = first.connect(address, b"http/1.1").await?;
        ask(&mut open).await?;

        let second = Certificate::new(folder.path());
        process.wait_for_line(&["a new certificate"]);
        ask(&mut second.connect(address, b"http/1.1").await?).await?;
        assert!(first.connect(address, b"http/1.1").await.is_err(), "the old one is gone");
        ask(&mut open).await?;

        fs::write(&chain, "half a certificate")?;
        let line = process.wait_for_line(&["the certificate stays as it was", "TLS_CERTIFICATE"]);
        assert!(line.contains("certificate.pem"), "{line}");
        ask(&mut second.connect(address, b"http/1.1").await?).await?;
        ask(&mut open).await
    });
}

/// A client of TLS takes an end without `close_notify` for an attack (RFC 8446 §6.1).
#[test]
fn an_idle_connection_with_tls_is_closed_and_not_cut() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let certificate = Certificate::new(folder.path());
    let [chain, key] = ["certificate.pem", "key.pem"].map(|file| folder.path().join(file));
    let environment = [
        ("LISTEN", "tls://127.0.0.1:0"),
        ("TLS_CERTIFICATE", chain.to_str().expect("a plain path")),
        ("TLS_KEY", key.to_str().expect("a plain path")),
        ("KEEP_ALIVE", "300ms"),
    ];
    let (process, _folder) = launch("echo-vm", &[], &environment);
    let address = SocketAddr::from(([127, 0, 0, 1], port_of(&process)));
    process.wait_for_line(&["ready"]);
    runtime(async {
        let mut idle = certificate.connect(address, b"http/1.1").await?;
        ask(&mut idle).await?;
        let end = tokio::time::timeout(PATIENCE, idle.read(&mut [0; 16])).await?;
        assert_eq!(end.expect("an end that is said"), 0);
        Ok(())
    });
}

/// Asks on an open connection and waits for the whole answer.
async fn ask(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> std::io::Result<()> {
    stream.write_all(b"GET /r/text HTTP/1.1\r\nhost: shop.example\r\n\r\n").await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    while !answer.ends_with("h\u{e9}llo".as_bytes()) {
        let mut buffer = [0; 1024];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await??;
        assert!(read > 0, "the connection ended: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..read]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    Ok(())
}

/// A client that offers HTTP/2 in every way gets what it can.
#[test]
fn curl_speaks_http_2_with_and_without_tls() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let _certificate = Certificate::new(folder.path());
    let [chain, key] = ["certificate.pem", "key.pem"].map(|file| folder.path().join(file));
    let [chain, key] = [&chain, &key].map(|file| file.to_str().expect("a plain path"));
    let [plain, tls] = [port(), port()];
    let listen = format!("127.0.0.1:{plain}, tls://127.0.0.1:{tls}");
    let environment = [("LISTEN", listen.as_str()), ("TLS_CERTIFICATE", chain), ("TLS_KEY", key)];
    let (process, _folder) = launch("echo-vm", &[], &environment);
    process.wait_for_line(&["ready"]);
    let program = std::path::Path::new("/usr/bin/curl");
    assert!(program.exists(), "{} is missing: apt-get install curl", program.display());
    let plain = format!("http://127.0.0.1:{plain}/");
    let resolve = format!("shop.example:{tls}:127.0.0.1");
    let tls = format!("https://shop.example:{tls}/");
    for (arguments, url, version) in [
        (&["--http2-prior-knowledge"][..], &plain, "2"),
        (&["--http2"], &plain, "1.1"),
        (&["--http2"], &tls, "2"),
        (&["--http2", "--tls-max", "1.2"], &tls, "2"),
        (&["--http1.1"], &tls, "1.1"),
    ] {
        let print = "version %{http_version} status %{http_code}\\n";
        let common =
            ["-sS", "--output", "/dev/null", "-w", print, "--cacert", chain, "--resolve", &resolve];
        let arguments = [arguments, &common, &[url.as_str()]].concat();
        let curl = Process::start(program, &arguments, folder.path(), &[]);
        let exit = curl.wait_for_exit(PATIENCE);
        assert!(exit.success(), "{arguments:?}: {}", curl.log().text());
        curl.wait_for_line(&[&format!("version {version} status 200")]);
    }
}
