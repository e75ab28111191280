//! A process as AWS freezes it between invocations.

use std::fs;
use std::time::{Duration, Instant};

use crate::process::{PATIENCE, Process, Signal};

/// A frozen process; thawed when dropped.
#[derive(Debug)]
pub struct Freeze<'a>(&'a Process);

impl<'a> Freeze<'a> {
    /// Freezes a process; returns when it is stopped.
    #[must_use = "the process is thawed when this is dropped"]
    pub fn new(process: &'a Process) -> Self {
        process.signal(Signal::STOP);
        let asked = Instant::now();
        while !stands_still(process.id()) {
            assert!(asked.elapsed() < PATIENCE, "the process does not stop");
            std::thread::park_timeout(Duration::from_millis(1));
        }
        Self(process)
    }
}

impl Drop for Freeze<'_> {
    fn drop(&mut self) {
        self.0.signal(Signal::CONT);
    }
}

/// Whether the kernel says that a process is stopped, or gone.
fn stands_still(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // The name, in parentheses, may hold anything: the state stands after the last of them.
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
}
