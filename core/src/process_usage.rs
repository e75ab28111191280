//! What a process uses of its machine: the numbers that Prometheus' client libraries and OpenTelemetry's conventions name,
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>,
//! <https://opentelemetry.io/docs/specs/semconv/system/process-metrics/>.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// What this process uses at one moment; `None` is what the operating system does not tell.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProcessUsage {
    /// Processor time in seconds, user and system together.
    pub cpu_seconds: f64,
    /// Memory that is resident, in bytes.
    pub resident_bytes: Option<u64>,
    /// Files and sockets that are open.
    pub open_descriptors: Option<u64>,
    /// The most there may be.
    pub max_descriptors: Option<u64>,
    /// When the process started, by its first call of [`note_start`](Self::note_start), in seconds since 1970.
    pub start_seconds: f64,
}

impl ProcessUsage {
    /// What it uses now.
    #[must_use]
    pub fn now() -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            resident_bytes: resident_bytes(),
            // The folder itself is open while it is read.
            open_descriptors: fs::read_dir("/dev/fd").ok().map(|all| all.count() as u64 - 1),
            max_descriptors: getrlimit(Resource::Nofile).current,
            start_seconds: START.get_or_init(since_1970).as_secs_f64(),
        }
    }

    /// Notes that the process starts now; only the first call counts.
    pub fn note_start() {
        START.get_or_init(since_1970);
    }

    /// The same under the names of OpenTelemetry's conventions.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn metrics(&self) -> Vec<crate::databases::Metric> {
        use crate::databases::{Metric, Reading};

        let numbers = [
            ("process.memory.usage", "By", "Memory that is resident", self.resident_bytes),
            (
                "process.unix.file_descriptor.count",
                "{file_descriptor}",
                "Files and sockets that are open",
                self.open_descriptors,
            ),
            (
                "process.unix.file_descriptor.limit",
                "{file_descriptor}",
                "Most files and sockets that may be open",
                self.max_descriptors,
            ),
        ];
        let numbers = numbers.into_iter().filter_map(|(name, unit, description, number)| {
            Some(Metric::new(name, unit, description, Reading::Level(number?)))
        });
        let cpu = Reading::Seconds(Duration::from_secs_f64(self.cpu_seconds));
        let cpu = Metric::new("process.cpu.time", "s", "Processor time, user and system", cpu);
        numbers.chain([cpu]).collect()
    }
}

static START: OnceLock<Duration> = OnceLock::new();

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The line `VmRSS:     5124 kB` of proc(5); other systems have no such file.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let usage = ProcessUsage::now();
        assert!(usage.cpu_seconds > 0.0 && usage.start_seconds > 1e9, "{usage:?}");
        let open = usage.open_descriptors.expect("there is such a folder");
        assert!(open > 0 && open <= usage.max_descriptors.unwrap_or(u64::MAX), "{usage:?}");
        if cfg!(target_os = "linux") {
            assert!(usage.resident_bytes > Some(100_000), "{usage:?}");
        }
    }
}
