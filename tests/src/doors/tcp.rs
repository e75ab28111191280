//! The doors of a long-running process: HTTP/1.1 written and read byte by byte, over TCP or a Unix socket.
//!
//! No client library stands between: it would hide what a strict client chokes on.

mod parse;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Door, Example, Facts, MAX_BODY};
use crate::process::{PATIENCE, Process};
use crate::wire::{Request, Response};

/// A long-running process and the socket it listens on.
pub(super) struct Tcp {
    process: Process,
    address: Address,
    _folder: TempDir,
}

/// Bytes and the moment at which they came.
type Chunk = (Instant, Vec<u8>);

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

    fn open(program: &Path, listen: impl FnOnce(&TempDir) -> (&'static str, String)) -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        let (variable, value) = listen(&folder);
        let max_body = MAX_BODY.to_string();
        let environment = [(variable, value.as_str()), ("MAX_BODY", &max_body)];
        let process = Process::start(program, &[], folder.path(), &environment);
        let address = match value.strip_prefix("unix:") {
            Some(path) => {
                process.wait_for_line(&["listening on", path]);
                Address::Unix(path.into())
            }
            None => {
                let line = process.wait_for_line(&["listening on"]);
                Address::Tcp(port_of(&line).unwrap_or_else(|| panic!("no port in {line:?}")))
            }
        };
        let tcp = Self { process, address, _folder: folder };
        tcp.wait_until_ready();
        tcp
    }

    /// Asks for readiness until it is there. It is asked again only when the answer is in.
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
        let talk = || -> std::io::Result<Vec<Chunk>> {
            match &self.address {
                Address::Tcp(address) => talk(*address, bytes, cut),
                Address::Unix(path) => {
                    let socket = UnixStream::connect(path)?;
                    socket.set_read_timeout(Some(PATIENCE))?;
                    let (writer, half) = (socket.try_clone()?, socket.try_clone()?);
                    let end = move || if cut { half.shutdown(Shutdown::Write) } else { Ok(()) };
                    write_and_read(bytes, writer, end, socket)
                }
            }
        };
        talk().map_err(|error| format!("no response: {error}"))
    }
}

impl Door for Tcp {
    fn send(&self, request: &Request) -> Result<Response, String> {
        let chunks = self.talk(written(request, self.facts().host), false)?;
        parse::one(&request.method, &chunks)
    }

    fn exchange(&self, bytes: &[u8]) -> Result<Vec<Response>, String> {
        parse::all(&self.talk(bytes.to_vec(), false)?)
    }

    fn exchange_cut(&self, bytes: &[u8]) -> Result<Vec<Response>, String> {
        parse::all(&self.talk(bytes.to_vec(), true)?)
    }

    fn facts(&self) -> Facts {
        let client_ip = match self.address {
            Address::Tcp(_) => Some("127.0.0.1"),
            Address::Unix(_) => None,
        };
        Facts { client_ip, scheme: "http", host: "shop.example", adds: &[] }
    }

    fn log(&self) -> String {
        self.process.log().text()
    }
}

/// Sends a request to whoever listens at an address, a part of somebody else's among them, and reads the
/// response as strictly as any door does.
///
/// # Errors
/// What was wrong with the connection or the response, in words.
pub fn send(address: SocketAddr, request: &Request) -> Result<Response, String> {
    let chunks = talk(address, written(request, &address.to_string()), false);
    parse::one(&request.method, &chunks.map_err(|error| format!("no response: {error}"))?)
}

fn talk(address: SocketAddr, bytes: Vec<u8>, cut: bool) -> io::Result<Vec<Chunk>> {
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let (writer, half) = (socket.try_clone()?, socket.try_clone()?);
    let end = move || if cut { half.shutdown(Shutdown::Write) } else { Ok(()) };
    write_and_read(bytes, writer, end, socket)
}

/// The bytes of a request; the connection ends with the response.
fn written(request: &Request, host: &str) -> Vec<u8> {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
    let mut line = |name: &str, value: &[u8]| {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    };
    if request.first("host").is_none() {
        line("Host", host.as_bytes());
    }
    for (name, value) in &request.headers {
        line(name, value);
    }
    if request.first("connection").is_none() {
        line("Connection", b"close");
    }
    if request.chunked {
        line("Transfer-Encoding", b"chunked");
    } else if request.says_its_length() && request.first("content-length").is_none() {
        line("Content-Length", request.body.len().to_string().as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    if request.chunked {
        // Uneven pieces, so that no reader is lucky.
        for piece in request.body.chunks((request.body.len() / 5).max(7)) {
            bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
    } else {
        bytes.extend_from_slice(&request.body);
    }
    bytes
}

fn write_and_read(
    bytes: Vec<u8>,
    mut writer: impl Write + Send + 'static,
    end: impl FnOnce() -> io::Result<()> + Send + 'static,
    mut reader: impl Read,
) -> io::Result<Vec<Chunk>> {
    // A thread of its own writes: a server may answer, and close, before it has read everything.
    let writing = thread::spawn(move || writer.write_all(&bytes).and_then(|()| end()));
    let mut chunks = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let end = loop {
        match reader.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(read) => chunks.push((Instant::now(), buffer[..read].to_vec())),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    drop(reader);
    drop(writing.join());
    match end {
        Err(error) if chunks.is_empty() => Err(error),
        // What was read stands; whether it is whole, the parser says.
        _ => Ok(chunks),
    }
}

/// The loopback address of the port that a line of the log names.
fn port_of(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("listening on ")?;
    let end = address.find(|c: char| !"[]:.0123456789abcdef".contains(c)).unwrap_or(address.len());
    let address: SocketAddr = address[..end].parse().ok()?;
    Some(SocketAddr::from(([127, 0, 0, 1], address.port())))
}
