//! A process that runs one of the servers.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Kind;
use crate::{machine, process};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server in a process of its own, killed when dropped.
#[derive(Debug)]
pub struct Subject {
    child: Child,
    address: SocketAddr,
}

impl Subject {
    /// Starts one and waits until it listens and answers.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(kind: Kind, database: Option<&str>) -> Result<Self, String> {
        let mut command = Command::new(machine::own_program()?);
        command.args(["serve", kind.word()]);
        if let Some(url) = database {
            command.args(["--database", url]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("cannot start {kind}: {error}"))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let mut stdout = BufReader::new(stdout);
            stdout.read_line(&mut line).map_err(|error| error.to_string())?;
            // Keep reading its output: writing to a pipe without a reader would fail.
            thread::spawn(move || io::copy(&mut stdout, &mut io::sink()));
        }
        let Ok(address) = line.trim().parse() else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{kind} did not say where it listens, but {line:?}"));
        };
        // Dropped, and so killed, if it does not start.
        let subject = Self { child, address };
        let begun = Instant::now();
        while !subject.answers() {
            if begun.elapsed() > PATIENCE {
                return Err(format!("{kind} did not answer within {PATIENCE:?}"));
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        Ok(subject)
    }

    /// Whether it has started: some servers listen before.
    fn answers(&self) -> bool {
        let ask = || -> io::Result<bool> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(b"GET /hello HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
            let mut status = [0; 13];
            stream.read_exact(&mut status)?;
            Ok(&status == b"HTTP/1.1 200 ")
        };
        ask().unwrap_or(false)
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The processor time it has used, in seconds.
    #[must_use]
    pub fn cpu(&self) -> Option<f64> {
        process::cpu(self.child.id())
    }

    /// Its resident memory in bytes.
    #[must_use]
    pub fn memory(&self) -> Option<u64> {
        process::memory(self.child.id())
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
