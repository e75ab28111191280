//! A process that runs one of the servers.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use super::Kind;
use crate::{machine, process};

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
    /// Where it does not start.
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
            BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        }
        let Ok(address) = line.trim().parse() else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{kind} did not say where it listens, but {line:?}"));
        };
        Ok(Self { child, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
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
