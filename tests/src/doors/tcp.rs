//! The doors of a long-running process: HTTP/1.1 written and read byte by byte, over TCP or a Unix socket.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhost_test::http1::{Chunk, all, one, talk, write_and_read, written};
use ppp::v2;
use tempfile::TempDir;

use super::tls::Certificate;
use super::{Door, Example, Facts, MAX_BODY};
use crate::process::{PATIENCE, Process};
use crate::wire::{Request, Response};

/// A long-running process and the socket it listens on.
pub(super) struct Tcp {
    process: Process,
    address: Address,
    before: Before,
    _folder: TempDir,
}

/// The preface of a connection, before its first request.
pub(super) enum Before {
    Nothing,
    /// The PROXY protocol's header, which names another client.
    Proxy(Vec<u8>),
    /// A TLS handshake with the server that has this certificate.
    Tls(Certificate),
}

/// The client that the PROXY protocol's header names.
const PROXIED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 55);

enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Tcp {
    /// A program of the PaaS adapter on a port of the system's choice.
    pub(super) fn paas(example: Example) -> Self {
        Self::open(&example.program("paas"), |_| ("PORT", "0".into()))
    }

    /// A program of the VM adapter on a port of the system's choice.
    pub(super) fn vm(example: Example) -> Self {
        Self::open(&example.program("vm"), |_| ("LISTEN", "127.0.0.1:0".into()))
    }

    /// A program of the VM adapter on a Unix socket.
    pub(super) fn vm_unix(example: Example) -> Self {
        Self::open(&example.program("vm"), |folder| {
            ("LISTEN", format!("unix:{}", folder.path().join("s").display()))
        })
    }

    /// A program of the VM adapter on a passed socket, as under systemd.
    pub(super) fn vm_inherited(example: Example) -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let environment = [("MAX_BODY", MAX_BODY.to_string())];
        let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        let program = example.program("vm");
        let sockets = vec![listener.into()];
        let process = Process::start_with_sockets(&program, folder.path(), &environment, sockets);
        let (address, before) = (Address::Tcp(address), Before::Nothing);
        let tcp = Self { process, address, before, _folder: folder };
        tcp.wait_until_ready();
        tcp
    }

    /// A program of the VM adapter that speaks TLS.
    pub(super) fn vm_tls(example: Example) -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        let certificate = Certificate::new(folder.path());
        let [chain, key] = ["certificate.pem", "key.pem"].map(|file| folder.path().join(file));
        let [chain, key] = [chain, key].map(|file| file.display().to_string());
        let more = [("TLS_CERTIFICATE", chain.as_str()), ("TLS_KEY", &key)];
        let listen = ("LISTEN", "tls://127.0.0.1:0");
        Self::start(&example.program("vm"), folder, listen, &more, Before::Tls(certificate))
    }

    /// A program of the VM adapter behind a proxy that sends the PROXY protocol's header.
    pub(super) fn vm_proxy(example: Example) -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        let more = [("PROXY_PROTOCOL", "on"), ("TRUSTED_PROXIES", "127.0.0.1")];
        let addresses: (SocketAddr, SocketAddr) =
            ((PROXIED, 4711).into(), ([127, 0, 0, 1], 80).into());
        let version = v2::Version::Two | v2::Command::Proxy;
        let header = v2::Builder::with_addresses(version, v2::Protocol::Stream, addresses).build();
        let before = Before::Proxy(header.expect("a header of two addresses"));
        let listen = ("LISTEN", "127.0.0.1:0");
        Self::start(&example.program("vm"), folder, listen, &more, before)
    }

    fn open(program: &Path, listen: impl FnOnce(&TempDir) -> (&'static str, String)) -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        let (variable, value) = listen(&folder);
        Self::start(program, folder, (variable, &value), &[], Before::Nothing)
    }

    fn start(
        program: &Path,
        folder: TempDir,
        listen: (&str, &str),
        more: &[(&str, &str)],
        before: Before,
    ) -> Self {
        let max_body = MAX_BODY.to_string();
        let mut environment = vec![listen, ("MAX_BODY", &max_body)];
        environment.extend_from_slice(more);
        let process = Process::start(program, &[], folder.path(), &environment);
        let address = match listen.1.strip_prefix("unix:") {
            Some(path) => {
                process.wait_for_line(&["listening on", path]);
                Address::Unix(path.into())
            }
            None => {
                let line = process.wait_for_line(&["listening on"]);
                Address::Tcp(port_of(&line).unwrap_or_else(|| panic!("no port in {line:?}")))
            }
        };
        let tcp = Self { process, address, before, _folder: folder };
        tcp.wait_until_ready();
        tcp
    }

    /// Its address, and its certificate.
    pub(super) fn place(&self) -> (SocketAddr, Option<&Certificate>) {
        let Address::Tcp(address) = self.address else { panic!("a TCP socket") };
        let Before::Tls(certificate) = &self.before else { return (address, None) };
        (address, Some(certificate))
    }

    /// Polls the readiness probe until it succeeds; each probe waits for the previous answer.
    fn wait_until_ready(&self) {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.send(&crate::wire::get("/readyz")) {
                Ok(response) if response.status == 200 => return,
                other => {
                    let ended = self.process.exit_within(Duration::from_millis(20)).is_some();
                    let over = ended || Instant::now() > until;
                    assert!(!over, "never ready: {other:?}\n{}", self.log());
                }
            }
        }
    }

    /// Writes bytes on a new connection and reads until its end; with the moments at which they came.
    fn talk(&self, bytes: Vec<u8>, cut: bool) -> Result<Vec<Chunk>, String> {
        let exchange = || -> std::io::Result<Vec<Chunk>> {
            match &self.address {
                Address::Tcp(address) => match &self.before {
                    Before::Nothing => talk(*address, bytes, cut),
                    Before::Proxy(header) => {
                        talk(*address, [header.as_slice(), &bytes].concat(), cut)
                    }
                    Before::Tls(certificate) => certificate.talk(*address, &bytes, cut),
                },
                Address::Unix(path) => {
                    let socket = UnixStream::connect(path)?;
                    socket.set_read_timeout(Some(PATIENCE))?;
                    let (writer, half) = (socket.try_clone()?, socket.try_clone()?);
                    let end = move || if cut { half.shutdown(Shutdown::Write) } else { Ok(()) };
                    write_and_read(bytes, writer, end, socket)
                }
            }
        };
        exchange().map_err(|error| format!("no response: {error}"))
    }
}

impl Door for Tcp {
    fn send(&self, request: &Request) -> Result<Response, String> {
        let chunks = self.talk(written(request, self.facts().host), false)?;
        one(&request.method, &chunks)
    }

    fn exchange(&self, bytes: &[u8]) -> Result<Vec<Response>, String> {
        all(&self.talk(bytes.to_vec(), false)?)
    }

    fn exchange_cut(&self, bytes: &[u8]) -> Result<Vec<Response>, String> {
        all(&self.talk(bytes.to_vec(), true)?)
    }

    fn facts(&self) -> Facts {
        let client_ip = match (&self.address, &self.before) {
            (_, Before::Proxy(_)) => Some("192.0.2.55"),
            (Address::Tcp(_), _) => Some("127.0.0.1"),
            (Address::Unix(_), _) => None,
        };
        let scheme = if matches!(self.before, Before::Tls(_)) { "https" } else { "http" };
        Facts { client_ip, scheme, host: "shop.example", adds: &[] }
    }

    fn log(&self) -> String {
        self.process.log().text()
    }
}

/// The loopback address of the port that a line of the log names.
fn port_of(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("listening on ")?;
    let end = address.find(|c: char| !"[]:.0123456789abcdef".contains(c)).unwrap_or(address.len());
    let address: SocketAddr = address[..end].parse().ok()?;
    Some(SocketAddr::from(([127, 0, 0, 1], address.port())))
}
