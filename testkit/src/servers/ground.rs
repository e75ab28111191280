//! Folders, ports, users and cleanup for throwaway servers.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use crate::process::Process;

/// The folder of this test process, and the child process that removes it.
static GROUND: LazyLock<Ground> = LazyLock::new(Ground::new);

struct Ground {
    folder: PathBuf,
    /// Waits for the end of its input, which is the end of this process, however it ends: a test that is
    /// killed, and a server that lives in a `static`, leave nothing behind.
    _watchman: Child,
}

/// Ends what has written its process id, then removes the folder.
const WATCHMAN: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
for pid in "$1"/*/pid "$1"/*/data/postmaster.pid; do
  [ -f "$pid" ] && kill -KILL "$(head -n 1 "$pid")" 2>/dev/null
done
for round in 1 2 3 4 5 6 7 8 9 10; do
  rm -rf "$1" 2>/dev/null && break
  sleep 0.1
done
"#;

impl Ground {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("anyhost-servers-").tempdir();
        let folder = folder.expect("a temporary folder can be made").keep();
        // The servers run as other users, who must be able to traverse this folder.
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("the folder is ours");
        let mut watchman = Command::new("/bin/sh");
        watchman.args(["-c", WATCHMAN, "watchman"]).arg(&folder);
        watchman.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { folder, _watchman: watchman.spawn().expect("there is a shell") }
    }
}

/// A new folder that belongs to a user, removed when this process ends.
#[must_use]
pub fn folder(name: &str, user: &User) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = GROUND.folder.join(format!("{name}-{number}"));
    fs::create_dir(&folder).expect("the ground is ours");
    user.own(&folder);
    folder
}

/// A new folder of a user that holds a copy of data, in `data`.
#[must_use]
pub fn folder_with(name: &str, user: &User, data: &Path) -> PathBuf {
    let folder = folder(name, user);
    let mut copy = user.command(Path::new("/bin/cp"));
    run(copy.arg("-a").arg(data).arg(folder.join("data")));
    folder
}

/// A port that is free, outside the range for outgoing connections: it stays
/// free while its server is down.
#[must_use]
pub fn port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
        // Test processes that run at the same time begin at different ports.
        let place = u32::from(FIRST) + std::process::id().wrapping_mul(37) % u32::from(COUNT);
        AtomicU16::new(u16::try_from(place).expect("below 32,000"))
    });
    for _ in 0..COUNT {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + port.wrapping_sub(FIRST) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

/// Writes the id of a process into its folder, from which the clean-up ends it, for a server that writes no file of its
/// own.
pub fn leave_pid(folder: &Path, process: &Process) {
    fs::write(folder.join("pid"), process.id().to_string()).expect("the folder is ours");
}

/// The user a server runs as: it may refuse to run as root.
#[derive(Clone, Copy, Debug)]
pub struct User(pub &'static str);

impl User {
    /// A command that runs as this user, or as the current user if the tests do not run as root.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new(SETPRIV);
        command.args(self.privileges()).arg(program);
        command
    }

    /// Starts a program as this user, as a watched process.
    pub fn start(&self, program: &Path, arguments: &[&str], folder: &Path) -> Process {
        self.start_in(Session::Ours, program, arguments, folder)
    }

    /// Starts a program as this user in a session, as a watched process.
    pub fn start_in(
        &self,
        session: Session,
        program: &Path,
        arguments: &[&str],
        folder: &Path,
    ) -> Process {
        let privileges = is_root().then(|| self.privileges());
        let mut all = match session {
            Session::Ours => Vec::new(),
            Session::Own => vec![SETSID],
        };
        if let Some(privileges) = &privileges {
            all.push(SETPRIV);
            all.extend(privileges.iter().map(String::as_str));
        }
        all.push(program.to_str().expect("paths of programs are plain"));
        all.extend(arguments);
        // Each of them becomes the next, under the same id.
        Process::start(Path::new(all[0]), &all[1..], folder, &[])
    }

    /// Makes this user the owner of a file, or of a folder without its contents.
    pub fn own(&self, path: &Path) {
        if is_root() {
            let (user, group) = self.ids();
            chown(path, Some(user), Some(group)).expect("root may give files away");
        }
    }

    /// The option that names this user to a server that drops root privileges itself; harmless if the tests are not root.
    #[must_use]
    pub fn argument(&self) -> String {
        if is_root() { format!("--user={}", self.0) } else { "--skip-symbolic-links".into() }
    }

    fn privileges(&self) -> [String; 3] {
        let Self(name) = self;
        let (_, group) = self.ids();
        [format!("--reuid={name}"), format!("--regid={group}"), "--clear-groups".into()]
    }

    fn ids(&self) -> (u32, u32) {
        let Self(name) = self;
        let users = fs::read_to_string("/etc/passwd").expect("there is a list of users");
        let mut users = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let user = users.find(|fields| fields[0] == *name);
        let user = user.unwrap_or_else(|| panic!("there is no user {name}; its package makes it"));
        (user[2].parse().expect("an id"), user[3].parse().expect("an id"))
    }
}

const SETPRIV: &str = "/usr/bin/setpriv";
const SETSID: &str = "/usr/bin/setsid";

/// The session that a server runs in. A kernel with autogroups, which is usual, gives each session the same share of
/// the processors.
#[derive(Clone, Copy, Debug)]
pub enum Session {
    /// The session of the tests: the server ends with them on Ctrl-C.
    Ours,
    /// A session of its own, as a service has: the load generator does not take the server's share.
    Own,
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The newest of the programs that a pattern names; `*` stands for a version. A panic names the package to install if
/// there is none.
#[track_caller]
#[must_use]
pub fn program(patterns: &[&str], package: &str) -> PathBuf {
    find_program(patterns).unwrap_or_else(|| {
        panic!("{} is missing: apt-get install {package}", patterns.join(" or "))
    })
}

/// The newest of the programs that a pattern names, if there is one.
pub(super) fn find_program(patterns: &[&str]) -> Option<PathBuf> {
    patterns.iter().find_map(|pattern| match pattern.split_once('*') {
        Some((before, after)) => {
            let entries = fs::read_dir(before).ok()?.flatten();
            let version = |path: &PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                name.parse::<f64>().unwrap_or(0.0)
            };
            let paths = entries.map(|entry| entry.path());
            let newest = paths
                .filter(|path| path.join(after.trim_start_matches('/')).exists())
                .max_by(|one, other| version(one).total_cmp(&version(other)))?;
            Some(newest.join(after.trim_start_matches('/')))
        }
        None => Some(PathBuf::from(pattern)).filter(|path| path.exists()),
    })
}

/// Runs a program to its end and returns what it wrote to standard output.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("{command:?} cannot be started: {error}")
        }
        Err(error) => panic!("{command:?}: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}
