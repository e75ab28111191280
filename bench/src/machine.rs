//! The machine and the versions that a run's numbers belong to.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// The machine of a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The name of its processor.
    pub processor: String,
    /// The number of processors that this process may use.
    pub cpus: usize,
    /// Its memory in bytes.
    pub memory: u64,
    /// Its kernel.
    pub kernel: String,
    /// The load average of the minute before the run.
    pub load_before: f64,
    /// The load average after the run, which includes the run itself.
    pub load_after: f64,
    /// How long the run took, in seconds.
    pub seconds: f64,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here() -> Self {
        let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
        let memory = field("/proc/meminfo", "MemTotal")
            .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        Self {
            processor,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory.unwrap_or(0) * 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            load_before: load(),
            load_after: 0.0,
            seconds: 0.0,
        }
    }
}

/// The path of this program, which is started again as each of the servers.
///
/// # Errors
/// If the operating system does not say which.
pub fn own_program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))
}

/// A program that was built together with this one.
///
/// # Errors
/// If it is not there.
pub fn sibling(name: &str) -> Result<PathBuf, String> {
    let path = own_program()?.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is missing", path.display())) }
}

/// The load of the last minute.
#[must_use]
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The crates whose versions matter to a reader.
const CRATES: [&str; 10] = [
    "actix-web",
    "axum",
    "bb8",
    "deadpool",
    "deadpool-postgres",
    "hyper",
    "lambda_http",
    "sqlx",
    "tokio",
    "tokio-postgres",
];

/// The versions of peers and tools, by what the lock file and the tools themselves say.
#[must_use]
pub fn versions() -> BTreeMap<String, String> {
    let lock = include_str!("../../Cargo.lock");
    let mut versions = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim_matches(|c| c == '"' || c == ' ' || c == '=').to_owned())
        };
        if let (Some(name), Some(version)) = (value("name"), value("version"))
            && CRATES.contains(&name.as_str())
        {
            versions.insert(name, version);
        }
    }
    for program in ["rustc", "postgres", "pgbench"] {
        if let Some(version) = said(program) {
            versions.insert(program.into(), version);
        }
    }
    versions
}

/// The first number that a program answers to `--version`.
fn said(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let number =
        text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    number.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_knows_every_peer() {
        let versions = versions();
        for name in CRATES {
            assert!(versions.contains_key(name), "{name} is not in {versions:?}");
        }
    }
}
