//! What the kernel says of a process: processor time and memory.

use std::fs;

/// The processor time that the threads of a process have used, in seconds, by `/proc/<pid>/schedstat`:
/// nanoseconds, where `/proc/<pid>/stat` counts in hundredths of a second. `None` where there is no such
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

/// The processor time of all children of a process: the backends of a PostgreSQL server.
#[must_use]
pub fn cpu_of_children(pid: u32) -> f64 {
    children(pid).into_iter().filter_map(cpu).sum()
}

/// The resident memory of a process in bytes.
#[must_use]
pub fn memory(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
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
    }
}
