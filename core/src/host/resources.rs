//! The processors and the memory that this process may use, by its cgroup.

use std::fs;
use std::path::{Path, PathBuf};

/// The processors and the memory that a process may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resources {
    /// Processors, as the CPU quota allows: 0.5 is half of one.
    pub cpus: f64,
    /// Memory in bytes; `None` if nothing limits it.
    pub memory: Option<u64>,
}

impl Resources {
    /// The limits of this process's cgroup, or the machine's resources if these are smaller.
    #[must_use]
    pub fn detect() -> Self {
        let machine = std::thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64);
        let limits = Self::limits(Path::new("/"));
        Self { cpus: limits.0.map_or(machine, |quota| quota.min(machine)), memory: limits.1 }
    }

    /// Whole processors, at least one: a quota of 1.5 counts as 2.
    #[must_use]
    pub fn whole_cpus(&self) -> usize {
        // A quota is a small positive number: the cast neither truncates nor loses a sign.
        self.cpus.ceil().max(1.0) as usize
    }

    fn limits(root: &Path) -> (Option<f64>, Option<u64>) {
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let (mut cpus, mut memory) = (None, None);
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
            let controllers: Vec<&str> = controllers.split(',').collect();
            if controllers == [""] {
                for folder in ancestors(root, "sys/fs/cgroup", group) {
                    tighten(&mut cpus, quota_v2(&read(&folder, "cpu.max")));
                    tighten(&mut memory, read(&folder, "memory.max").trim().parse().ok());
                }
            }
            if controllers.contains(&"cpu") {
                for folder in ancestors(root, "sys/fs/cgroup/cpu", group) {
                    let quota = read(&folder, "cpu.cfs_quota_us");
                    let period = read(&folder, "cpu.cfs_period_us");
                    tighten(&mut cpus, quota_v2(&format!("{} {}", quota.trim(), period.trim())));
                }
            }
            if controllers.contains(&"memory") {
                for folder in ancestors(root, "sys/fs/cgroup/memory", group) {
                    let bytes = read(&folder, "memory.limit_in_bytes").trim().parse().ok();
                    // cgroup v1 says "no limit" with the largest number of whole pages.
                    tighten(&mut memory, bytes.filter(|bytes| *bytes < 1 << 60));
                }
            }
        }
        (cpus, memory)
    }
}

/// The folder of a cgroup and of each of its parents: the tightest limit on the way up is the one that
/// bites. Inside a container the group's own path may not exist below the mount; the mount itself does.
fn ancestors(root: &Path, mount: &str, group: &str) -> Vec<PathBuf> {
    let mount = root.join(mount);
    let mut folder = mount.join(group.trim_start_matches('/'));
    let mut folders = vec![folder.clone()];
    while folder != mount && folder.pop() {
        folders.push(folder.clone());
    }
    folders
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap_or_default()
}

/// `"50000 100000"` is half a processor; `"max 100000"` and `"-1 100000"` are no limit.
fn quota_v2(text: &str) -> Option<f64> {
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    let (quota, period) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

fn tighten<T: PartialOrd + Copy>(limit: &mut Option<T>, new: Option<T>) {
    if let Some(new) = new
        && limit.is_none_or(|limit| new < limit)
    {
        *limit = Some(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, files: &[(&str, &str)], expected: (Option<f64>, Option<u64>)) {
        let root = std::env::temp_dir().join(format!("anyhost-{name}-{}", fastrand::u64(..)));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("writable");
            fs::write(path, text).expect("writable");
        }
        assert_eq!(Resources::limits(&root), expected, "{name}");
        fs::remove_dir_all(root).expect("ours");
    }

    #[test]
    fn version_2_takes_the_tightest_limit_on_the_way_up() {
        check(
            "v2",
            &[
                ("proc/self/cgroup", "0::/pods/one\n"),
                ("sys/fs/cgroup/pods/cpu.max", "50000 100000\n"),
                ("sys/fs/cgroup/pods/one/cpu.max", "max 100000\n"),
                ("sys/fs/cgroup/pods/one/memory.max", "134217728\n"),
            ],
            (Some(0.5), Some(128 << 20)),
        );
    }

    #[test]
    fn version_1_in_a_container_reads_the_mount() {
        check(
            "v1",
            &[
                ("proc/self/cgroup", "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n"),
                ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n"),
                ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ],
            (Some(1.5), None),
        );
    }

    #[test]
    fn no_cgroup_is_no_limit() {
        check("none", &[("proc/self/status", "")], (None, None));
    }

    #[test]
    fn a_part_of_a_processor_counts_as_one() {
        assert_eq!(Resources { cpus: 0.25, memory: None }.whole_cpus(), 1);
        assert_eq!(Resources { cpus: 1.5, memory: None }.whole_cpus(), 2);
    }
}
