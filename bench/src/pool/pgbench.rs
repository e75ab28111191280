//! `pgbench -M prepared`: the throughput that the server itself reaches with this many connections.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::results::Turn;

/// PostgreSQL's own load, in C, without a pool.
pub(super) struct Pgbench {
    url: String,
    connections: usize,
    script: NamedTempFile,
    /// Transactions a second, as far as is known: pgbench's own clock counts in whole seconds, so it is
    /// told how much to do instead of how long.
    rate: f64,
}

impl Pgbench {
    pub(super) fn new(url: &str, connections: usize) -> Self {
        let mut script = NamedTempFile::new().expect("a temporary file can be made");
        writeln!(script, "SELECT title FROM notes WHERE id = :id;").expect("it can be written");
        Self { url: url.to_owned(), connections, script, rate: 2_000.0 }
    }

    pub(super) fn turn(&mut self, time: Duration) -> Turn {
        let each = (self.rate * time.as_secs_f64() / self.connections as f64).ceil() as u64;
        let connections = self.connections.to_string();
        let mut pgbench = Command::new("pgbench");
        pgbench
            .args(["-n", "-M", "prepared", "-D", "id=7", "-c", &connections, "-j"])
            .arg(self.connections.min(2).to_string())
            .args(["-t", &each.max(1).to_string(), "-f"])
            .arg(self.script.path())
            .arg(&self.url);
        let output = pgbench.stdin(Stdio::null()).output();
        let output = output.expect("pgbench is there: it comes with postgresql");
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text
            .lines()
            .find_map(|line| line.strip_prefix("tps = "))
            .and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
        let Some(rate) = rate else {
            panic!("pgbench: {}", String::from_utf8_lossy(&output.stderr))
        };
        self.rate = rate;
        let done = each.max(1) * self.connections as u64;
        Turn { done, seconds: done as f64 / rate, ..Turn::default() }
    }
}
