//! The image, built from the Dockerfile, and containers of it.
//!
//! Every line of the Dockerfile runs, on a Debian that has a `cargo` which puts the program of this
//! workspace in the place of the compiler's output: no registry is used.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use anyhost_tests::process::{PATIENCE, Process, binary};
use tempfile::TempDir;

use crate::tool::{deploy, outcome, output, part, program, root};

/// The image of notes.
pub(crate) const IMAGE: &str = "localhost/notes:test";

const BASE: &str = "localhost/rust:1.95-slim-bookworm";

const CARGO: &str = "\
#!/bin/sh
# What stands in for the compiler: only the one command of the Dockerfile is known.
[ \"$*\" = 'build --release --locked --package notes --bin notes-paas' ] || exit 64
mkdir -p target/release && cp notes-paas target/release/notes-paas
";

/// runc, with limits that a sandbox can set too; the program's own would need more privileges than some
/// machines give to root.
const CONFIGURATION: &str = "\
[containers]
default_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]
[engine]
runtime = \"runc\"
";

static BUILT: LazyLock<()> = LazyLock::new(|| {
    let configuration = configuration();
    fs::write(configuration, CONFIGURATION).unwrap();
    if !outcome(podman().args(["image", "exists", BASE])).0 {
        import();
    }
    let context = TempDir::new().unwrap();
    fs::copy(binary("notes-paas"), context.path().join("notes-paas")).unwrap();
    let mut build = podman();
    build.args([
        "build",
        "--isolation=chroot",
        "--pull=never",
        "--no-cache",
        "--tag",
        IMAGE,
        "--file",
    ]);
    let said = crate::tool::words(build.arg(deploy("Dockerfile")).arg(context.path()));
    assert!(said.contains("ENTRYPOINT"), "{said}");
});

/// The small Debian and the stand-in for a compiler, as the image that the Dockerfile begins with.
fn import() {
    let rootfs = part("rootfs");
    let folder = TempDir::new().unwrap();
    let cargo = folder.path().join("usr/local/bin/cargo");
    fs::create_dir_all(cargo.parent().unwrap()).unwrap();
    fs::write(&cargo, CARGO).unwrap();
    fs::set_permissions(&cargo, Permissions::from_mode(0o755)).unwrap();
    let mut tar = Command::new("tar")
        .arg("-cC")
        .arg(rootfs)
        .arg("--exclude=./dev/*")
        .arg(".")
        .arg("-C")
        .arg(folder.path())
        .arg("./usr/local/bin/cargo")
        .stdout(Stdio::piped())
        .spawn()
        .expect("there is a tar");
    let imported = podman().args(["import", "-", BASE]).stdin(tar.stdout.take().unwrap()).output();
    let imported = imported.expect("podman can be started");
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    assert!(tar.wait().unwrap().success());
}

/// podman, with everything of its own in `.platforms`, and with the image.
pub(crate) fn containers() -> Command {
    LazyLock::force(&BUILT);
    podman()
}

fn podman() -> Command {
    let mut podman = program("/usr/bin/podman");
    podman.env("CONTAINERS_CONF", configuration());
    podman.args(arguments());
    podman
}

fn configuration() -> PathBuf {
    root().join(".platforms/containers.conf")
}

fn arguments() -> [String; 3] {
    let folder = |name: &str| root().join(".platforms").join(name).display().to_string();
    [
        format!("--root={}", folder("containers")),
        format!("--runroot={}", folder("containers-run")),
        "--cgroup-manager=cgroupfs".into(),
    ]
}

/// A container that runs; removed when dropped.
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) process: Process,
}

impl Container {
    /// Runs the image as a strict platform would: another user, no capability, no file that can
    /// be written but in `/tmp`.
    pub(crate) fn run(name: &str, more: &[&str], verb: &str) -> Self {
        LazyLock::force(&BUILT);
        let name = format!("anyhost-{name}-{}", std::process::id());
        let mut all: Vec<String> = arguments().into();
        let fixed = [
            "run",
            "--name",
            &name,
            "--network=host",
            "--pull=never",
            "--read-only",
            "--user=1000:1000",
            "--cap-drop=all",
            "--security-opt=no-new-privileges",
            "--memory=128m",
            "--cpus=0.5",
            "--pids-limit=64",
        ];
        all.extend(fixed.iter().chain(more).map(|&word| word.to_owned()));
        all.extend([IMAGE.into(), verb.into()]);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let configuration = configuration().display().to_string();
        let environment = [
            ("CONTAINERS_CONF", configuration.as_str()),
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ];
        let podman = std::path::Path::new("/usr/bin/podman");
        Self { name, process: Process::start(podman, &all, &root(), &environment) }
    }

    /// The id that its process 1 has on this machine.
    pub(crate) fn pid(&self) -> String {
        output(podman().args(["inspect", "--format={{.State.Pid}}", &self.name]))
    }

    /// The exit code of the program, once it has ended.
    #[track_caller]
    pub(crate) fn exit_code(&self) -> i32 {
        self.process.wait_for_exit(PATIENCE).code().expect("podman was not killed")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = outcome(podman().args(["rm", "--force", "--time=0", &self.name]));
    }
}
