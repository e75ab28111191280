//! What a process uses of its machine.

use std::fs;
use std::time::Duration;

use anyhost_core::adapter::{Metric, Reading};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The names of these numbers.
#[derive(Clone, Copy)]
pub(crate) enum Names {
    /// As Prometheus' own client libraries have them,
    /// <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>.
    Prometheus,
    /// As OpenTelemetry's conventions have them.
    OpenTelemetry,
}

/// Returns what this process uses now, as far as the operating system tells.
pub(crate) fn process_metrics(names: Names) -> Vec<Metric> {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let cpu = Duration::new(cpu.tv_sec.unsigned_abs(), cpu.tv_nsec as u32);
    let numbers = [
        (
            ["process.cpu", "process.cpu.time"],
            "s",
            "Processor time of this process, user and system",
            Some(Reading::Seconds(cpu)),
        ),
        (
            ["process.resident_memory_bytes", "process.memory.usage"],
            "By",
            "Memory of this process that is resident",
            resident_bytes().map(Reading::Level),
        ),
        (
            ["process.open_fds", "process.unix.file_descriptor.count"],
            "{file_descriptor}",
            "Files and sockets that are open",
            // The folder itself is open while it is read.
            fs::read_dir("/dev/fd").ok().map(|all| Reading::Level(all.count() as u64 - 1)),
        ),
        (
            ["process.max_fds", "process.unix.file_descriptor.limit"],
            "{file_descriptor}",
            "Most files and sockets that may be open",
            getrlimit(Resource::Nofile).current.map(Reading::Level),
        ),
    ];
    let numbers = numbers.into_iter().filter_map(|(name, unit, description, reading)| {
        Some(Metric::new(name[names as usize], unit, description, reading?))
    });
    numbers.collect()
}

/// The line `VmRSS:     5124 kB` of proc(5); other systems have no such file.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
