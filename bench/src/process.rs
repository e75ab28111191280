//! What the kernel says of a process: processor time, memory, and what it did.

use std::fs;
use std::ops::{AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// Ticks of a second in `/proc/<pid>/stat`: the kernel's `USER_HZ`, the same wherever Linux runs.
const TICKS: f64 = 100.0;

/// The processor time that the threads of a process have used, in seconds, by `/proc/<pid>/schedstat`:
/// nanoseconds; `/proc/<pid>/stat` counts in hundredths of a second. `None` if there is no such
/// process.
#[must_use]
pub fn cpu(pid: u32) -> Option<f64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let nanoseconds: u64 = threads
        .flatten()
        .filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        })
        .sum();
    Some(nanoseconds as f64 / 1e9)
}

/// The processor time of all children of a process, those that have ended among them: the backends of a
/// PostgreSQL server. Of those that have ended it is the time that their parent has been told when it
/// reaped them, in hundredths of a second.
#[must_use]
pub fn cpu_of_children(pid: u32) -> f64 {
    let mut ended = ended_children(pid);
    loop {
        let living: f64 = children(pid).into_iter().filter_map(cpu).sum();
        // A child that ended between the two readings would be counted twice, or not at all.
        let now = ended_children(pid);
        if now == ended {
            return living + now;
        }
        ended = now;
    }
}

/// The processor time of the children that have ended and were reaped, in seconds.
fn ended_children(pid: u32) -> f64 {
    stat(pid).map_or(0.0, |stat| (stat[13] + stat[14]) as f64 / TICKS)
}

/// What a process has done: by `/proc`, which is there without any tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Seconds of processor time outside the kernel.
    pub user: f64,
    /// Seconds of processor time in the kernel.
    pub system: f64,
    /// How often a thread gave up its processor to wait.
    pub waits: u64,
    /// Writes to what is no socket: mostly to an eventfd, by which one thread wakes another.
    pub wakes: u64,
    /// Pages of memory that were first touched.
    pub faults: u64,
}

impl Counters {
    /// What it has done so far; `None` if there is no such process.
    #[must_use]
    pub fn read(pid: u32) -> Option<Self> {
        let stat = stat(pid)?;
        let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        let waits = threads.flatten().filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("status")).ok()?;
            field(&text, "voluntary_ctxt_switches:")
        });
        // Closed to others than its owner in some containers.
        let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        Some(Self {
            user: stat[11] as f64 / TICKS,
            system: stat[12] as f64 / TICKS,
            waits: waits.sum(),
            wakes: field(&io, "syscw:").unwrap_or_default(),
            faults: stat[7],
        })
    }
}

/// What was done between two moments.
impl Sub for Counters {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            system: self.system - before.system,
            // The count of a thread goes with the thread.
            waits: self.waits.saturating_sub(before.waits),
            wakes: self.wakes.saturating_sub(before.wakes),
            faults: self.faults.saturating_sub(before.faults),
        }
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, more: Self) {
        self.user += more.user;
        self.system += more.system;
        self.waits += more.waits;
        self.wakes += more.wakes;
        self.faults += more.faults;
    }
}

/// The numbers of `/proc/<pid>/stat` behind the program's name, which may hold anything: `stat[0]` is the
/// third field of proc(5), the state, here as 0.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let numbers = text.rsplit_once(')')?.1.split_whitespace();
    let numbers: Vec<u64> = numbers.map(|number| number.parse().unwrap_or_default()).collect();
    (numbers.len() > 14).then_some(numbers)
}

/// The number of a line that begins with this name.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The resident memory of a process in bytes.
#[must_use]
pub fn memory(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&text, "VmRSS:").map(|kib| kib * 1024)
}

/// The children of a process that are there now.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let own = std::process::id();
        assert!(cpu(own).expect("it runs") > 0.0);
        assert!(memory(own).expect("it runs") > 100_000);
        assert_eq!(cpu(u32::MAX), None);
        let counters = Counters::read(own).expect("it runs");
        assert!(counters.faults > 0 && counters.user + counters.system < 1e6, "{counters:?}");
        assert_eq!(Counters::read(u32::MAX), None);
    }

    #[test]
    fn a_child_that_has_ended_is_still_counted() {
        let own = std::process::id();
        let before = cpu_of_children(own);
        let mut child = std::process::Command::new("sh");
        // Work that takes some hundredths of a second on any machine.
        let child = child.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]);
        assert!(child.status().expect("there is a shell").success());
        assert!(cpu_of_children(own) > before);
    }
}
