//! A share of processors as containers get it: a cgroup with a CFS quota.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhost_tests::process::Process;

/// The shell becomes the program after it has joined the cgroup, so that the program never sees other processors.
const JOIN: &str = r#"echo $$ > "$1" && exec "$0""#;

/// A cgroup whose processes have a share of the processors; removed when dropped.
#[derive(Debug)]
pub(super) struct ProcessorShare {
    folder: PathBuf,
    cores: f64,
    period: Duration,
    unified: bool,
}

impl ProcessorShare {
    /// So many processors in each period, in a new cgroup without a process.
    pub(super) fn new(cores: f64, period: Duration) -> Result<Self, String> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let groups = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let (parent, unified) = parent(&groups).ok_or("this process is in no cgroup")?;
        let folder = parent.join(format!("anyhost-bench-{}-{number}", std::process::id()));
        let said = |error| format!("no cgroup at {}: {error}", folder.display());
        fs::create_dir(&folder).map_err(said)?;
        let share = Self { folder, cores, period, unified };
        share.apply()?;
        Ok(share)
    }

    /// Starts a program in it.
    pub(super) fn start(
        &self,
        program: &Path,
        folder: &Path,
        environment: &[(&str, &str)],
    ) -> Process {
        let joined = self.folder.join("cgroup.procs");
        let arguments = ["-c", JOIN, &program.to_string_lossy(), &joined.to_string_lossy()];
        Process::start(Path::new("/bin/sh"), &arguments, folder, environment)
    }

    /// Holds its processes to the share.
    pub(super) fn apply(&self) -> Result<(), String> {
        // Microseconds of a few processors are small numbers.
        let quota = (self.cores * self.period.as_secs_f64() * 1e6).round() as i64;
        self.write(Some(quota))
    }

    /// Gives its processes the whole machine.
    pub(super) fn lift(&self) -> Result<(), String> {
        self.write(None)
    }

    fn write(&self, quota: Option<i64>) -> Result<(), String> {
        let period = self.period.as_micros();
        let files = if self.unified {
            let quota = quota.map_or("max".into(), |quota| quota.to_string());
            vec![("cpu.max", format!("{quota} {period}"))]
        } else {
            let quota = quota.unwrap_or(-1).to_string();
            vec![("cpu.cfs_period_us", period.to_string()), ("cpu.cfs_quota_us", quota)]
        };
        for (file, text) in files {
            let path = self.folder.join(file);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}

impl Drop for ProcessorShare {
    fn drop(&mut self) {
        // A cgroup that still has a process stays; nothing else is lost by that.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The folder below which a cgroup with a quota can be made, and whether it is in the unified hierarchy (cgroup v2), by
/// the lines of `/proc/self/cgroup`.
fn parent(groups: &str) -> Option<(PathBuf, bool)> {
    let lines = groups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let lines: Vec<_> = lines.collect();
    let below = |mount: &str, group: &str| Path::new(mount).join(group.trim_start_matches('/'));
    let own = lines.iter().find(|(names, _)| names.split(',').any(|name| name == "cpu"));
    if let Some((_, group)) = own {
        return Some((below("/sys/fs/cgroup/cpu", group), false));
    }
    let (_, group) = lines.iter().find(|(names, _)| names.is_empty())?;
    let own = below("/sys/fs/cgroup", group);
    // A group with processes of its own gives no controller to groups below it, but its parent does.
    let parent = if *group == "/" { own } else { own.parent()?.to_owned() };
    Some((parent, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_made_where_the_processor_controller_is() {
        let found = |groups| parent(groups).expect("there is one");
        let first = "2:cpuacct,cpu:/pods/one\n0::/pods/two\n";
        assert_eq!(found(first), ("/sys/fs/cgroup/cpu/pods/one".into(), false));
        let unified = "0::/system.slice/ssh.service\n";
        assert_eq!(found(unified), ("/sys/fs/cgroup/system.slice".into(), true));
        assert_eq!(found("0::/\n"), ("/sys/fs/cgroup".into(), true));
        assert_eq!(parent("3:memory:/\n"), None);
    }
}
