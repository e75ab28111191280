//! The system calls of a server, counted by strace if it is installed and permitted.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long strace may take to attach to every thread of a server.
const PATIENCE: Duration = Duration::from_secs(5);

/// A count in progress.
#[derive(Debug)]
pub(super) struct Counting {
    strace: Child,
    said: tempfile::NamedTempFile,
}

impl Counting {
    /// Begins to count the system calls of all threads of a process. `None` if that cannot be done
    /// here: strace is not installed, or tracing is not permitted.
    pub(super) fn begin(pid: u32) -> Option<Self> {
        let said = tempfile::NamedTempFile::new().ok()?;
        let mut strace = Command::new("strace");
        let strace = strace.args(["-c", "-f", "-p", &pid.to_string(), "-o"]).arg(said.path());
        let strace = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut counting = Self { strace: strace.spawn().ok()?, said };
        let begun = Instant::now();
        while !traced(pid) {
            let ended = !matches!(counting.strace.try_wait(), Ok(None));
            if ended || begun.elapsed() > PATIENCE {
                return None;
            }
            thread::park_timeout(Duration::from_millis(5));
        }
        Some(counting)
    }

    /// Ends the count and returns the number of calls.
    pub(super) fn end(mut self) -> Option<u64> {
        let pid = rustix::process::Pid::from_child(&self.strace);
        // strace writes its table when it is interrupted.
        rustix::process::kill_process(pid, rustix::process::Signal::INT).ok()?;
        self.strace.wait().ok()?;
        total(&fs::read_to_string(self.said.path()).ok()?)
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// Returns whether every thread of a process is being traced.
fn traced(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().all(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        !status
            .lines()
            .any(|line| line.strip_prefix("TracerPid:").is_some_and(|it| it.trim() == "0"))
    })
}

/// The calls in the last line of strace's table: `100.00 0.011 1 9021 17 total`, the errors left off if
/// there are none.
fn total(table: &str) -> Option<u64> {
    let line = table.lines().find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_total() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.000111           1        90           read\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.000111           1        90        17 total\n";
        assert_eq!(total(table), Some(90));
        assert_eq!(total(""), None);
    }
}
