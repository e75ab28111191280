//! What a process uses of its machine: the numbers that Prometheus' client libraries and OpenTelemetry's conventions name,
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>,
//! <https://opentelemetry.io/docs/specs/semconv/system/process-metrics/>.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::databases::{Metric, Reading};

/// The metrics of a process, under the names that Prometheus and OpenTelemetry have for them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ProcessMetrics {
    /// As Prometheus' client libraries name them.
    Prometheus,
    /// As OpenTelemetry's conventions name them.
    OpenTelemetry,
}

impl ProcessMetrics {
    /// Reads what this process uses now, as far as the operating system tells.
    #[must_use]
    pub fn read(self) -> Vec<Metric> {
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
            Some(Metric::new(name[self as usize], unit, description, reading?))
        });
        numbers.collect()
    }
}

/// The line `VmRSS:     5124 kB` of proc(5); other systems have no such file.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
