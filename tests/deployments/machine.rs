//! A machine whose process 1 is systemd, with the units of notes on it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhost_tests::process::{PATIENCE, Process, Signal, program_path};
use anyhost_tests::wait::eventually;
use tempfile::TempDir;

use crate::tool::{deploy, outcome, output, part, program, root, words};

/// A booted systemd; halted when dropped.
pub(crate) struct Machine {
    nspawn: Process,
    /// The id that its process 1 has on this machine.
    init: String,
    folder: TempDir,
}

impl Machine {
    /// Boots with the units of the deploy folder, changed as asked, this program for the service (an example's by its
    /// name, any other by its path) and this connection string as its credential. The network is this machine's.
    pub(crate) fn boot(program_: &str, url: &str, change: impl Fn(&str, String) -> String) -> Self {
        let folder = TempDir::new().unwrap();
        let (units, etc) = (folder.path().join("units"), folder.path().join("etc"));
        fs::create_dir(&units).unwrap();
        fs::create_dir(&etc).unwrap();
        for unit in ["notes.service", "notes.socket"] {
            let text = fs::read_to_string(deploy("vm").join(unit)).unwrap();
            fs::write(units.join(unit), change(unit, text)).unwrap();
        }
        let secret = etc.join("database-url");
        fs::write(&secret, format!("{url}\n")).unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        let bind = |from: PathBuf, to: &str| format!("--bind-ro={}:{to}", from.display());
        let here = root().join("tests/deployments");
        let name = folder.path().file_name().unwrap().to_string_lossy().replace('.', "anyhost");
        let arguments = [
            here.join("boot.sh").display().to_string(),
            part("rootfs").display().to_string(),
            name,
            folder.path().join("cgroups").display().to_string(),
            bind(here.join("init-writable"), "/sbin/init-writable"),
            bind(program_path(program_), "/usr/local/bin/notes-vm"),
            bind(units.join("notes.service"), "/etc/systemd/system/notes.service"),
            bind(units.join("notes.socket"), "/etc/systemd/system/notes.socket"),
            bind(etc, "/etc/notes"),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let _ = program("/usr/bin/systemd-nspawn");
        let path = [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")];
        let nspawn = Process::start(Path::new("/bin/bash"), &arguments, folder.path(), &path);
        let mut machine = Self { nspawn, init: String::new(), folder };
        eventually("it has booted", || {
            let ended = machine.nspawn.exit_within(Duration::ZERO);
            assert!(ended.is_none(), "{}", machine.nspawn.log().text());
            // On the way there are others, which end.
            machine.init = child(&machine.nspawn.id().to_string())?;
            let state = outcome(machine.inside("systemctl").arg("is-system-running")).1;
            (state.trim() == "running").then_some(())
        });
        machine
    }

    /// Puts a setting into the folder of the service's configuration.
    pub(crate) fn configure(&self, name: &str, value: &str) {
        fs::write(self.folder.path().join("etc").join(name), value).unwrap();
    }

    /// A program inside.
    pub(crate) fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("/usr/bin/nsenter");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.args([
            "--target", &self.init, "--mount", "--uts", "--ipc", "--pid", "--root", "--wd", "--",
        ]);
        command.arg(program);
        command
    }

    /// `systemctl`, which must succeed.
    #[track_caller]
    pub(crate) fn systemctl(&self, words_: &str) -> String {
        let mut systemctl = self.inside("systemctl");
        let (succeeded, said) = outcome(systemctl.args(words_.split(' ')));
        assert!(succeeded, "systemctl {words_}: {said}\n{}", self.journal());
        said
    }

    /// A property of the service.
    #[track_caller]
    pub(crate) fn property(&self, name: &str) -> String {
        let mut show = self.inside("systemctl");
        output(show.args(["show", "notes.service", "--value", "--property"]).arg(name))
    }

    /// The id of the service's main process inside.
    pub(crate) fn main_pid(&self) -> String {
        self.property("MainPID")
    }

    /// A file of the service's main process under `/proc`.
    pub(crate) fn of_main_process(&self, file: &str) -> String {
        words(self.inside("cat").arg(format!("/proc/{}/{file}", self.main_pid())))
    }

    /// Everything the service and its manager have written.
    pub(crate) fn journal(&self) -> String {
        outcome(self.inside("journalctl").args(["--no-pager", "-u", "notes.service", "-o", "cat"]))
            .1
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.nspawn.signal(Signal::TERM);
        let _ = self.nspawn.exit_within(PATIENCE);
        let cgroups = fs::read_to_string(self.folder.path().join("cgroups")).unwrap_or_default();
        for group in cgroups.lines() {
            let mut find = Command::new("find");
            let _ = outcome(
                find.arg(group).args(["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]),
            );
        }
    }
}

/// The only child of a process.
fn child(of: &str) -> Option<String> {
    let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).ok()?;
    children.split_whitespace().next().map(str::to_owned)
}
