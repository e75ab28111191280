//! Programs as child processes: started with exactly one environment, watched, and never left behind.

mod log;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

pub use log::Log;
use rustix::io::Errno;
pub use rustix::process::Signal;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};

/// How long a test polls for a condition before it fails: long enough for a machine under load. A test that
/// passes does not wait for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long the outputs of a process that has ended are read on: a child of its own may keep them open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A child process with its log; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    state: Arc<State>,
    log: Log,
}

#[derive(Debug)]
struct State {
    /// The exit, once it has been waited for: until then the process id is surely this child's.
    exit: Mutex<Option<ExitStatus>>,
    changed: Condvar,
}

impl Process {
    /// Starts a program with exactly this environment in this folder; both of its outputs go to its log.
    #[must_use]
    pub fn start(
        program: &Path,
        arguments: &[&str],
        folder: &Path,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).env_clear().envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::run(program, command)
    }

    /// Starts a program as systemd starts one that it hands sockets to: the first as descriptor 3, with what
    /// the variables say of them. With a second socket the log is what it writes to stderr, and with that its
    /// stdout, which is the same.
    ///
    /// # Panics
    /// For more than two sockets.
    #[must_use]
    pub fn start_with_sockets(
        program: &Path,
        folder: &Path,
        environment: &[(&str, &str)],
        sockets: Vec<OwnedFd>,
    ) -> Self {
        let count = sockets.len();
        // The shell moves the sockets to the descriptors that the protocol requires, and `exec` keeps its process id.
        let moves = ["", "exec 3<&0 0</dev/null", "exec 3<&0 4<&1 0</dev/null 1>&2"][count];
        let script = format!("{moves}; LISTEN_PID=$$ LISTEN_FDS={count} exec \"$0\"");
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script).arg(program).current_dir(folder).env_clear();
        command.envs(environment.iter().copied()).stderr(Stdio::piped());
        let mut sockets = sockets.into_iter();
        command.stdin(sockets.next().map_or_else(Stdio::null, Stdio::from));
        command.stdout(sockets.next().map_or_else(Stdio::piped, Stdio::from));
        Self::run(program, command)
    }

    fn run(program: &Path, mut command: Command) -> Self {
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{} cannot be started: {error}", program.display()),
        };
        // Dropping the command closes this process's copies of the sockets.
        drop(command);
        let log = Log::default();
        if let Some(stdout) = child.stdout.take() {
            log.follow(stdout);
        }
        log.follow(child.stderr.take().expect("piped above"));
        let pid = Pid::from_child(&child);
        let state = Arc::new(State { exit: Mutex::new(None), changed: Condvar::new() });
        watch(child, pid, Arc::clone(&state));
        Self {
            name: program.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            pid,
            state,
            log,
        }
    }

    /// The lines that it has written, which grow while it runs.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// Sends it a signal, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        let exit = self.state.exit.lock().unwrap_or_else(PoisonError::into_inner);
        if exit.is_none() {
            // Fails if the process has just ended, which `wait_for_exit` tells.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Waits for the first line that holds all of these words.
    #[track_caller]
    pub fn wait_for_line(&self, words: &[&str]) -> String {
        let wanted = |line: &str| words.iter().all(|word| line.contains(word));
        match self.log.wait_for(PATIENCE, wanted) {
            Some(line) => line,
            None => panic!("{} never wrote {words:?}; it wrote:\n{}", self.name, self.log.text()),
        }
    }

    /// Waits for its end, and for what it has written by then.
    #[track_caller]
    pub fn wait_for_exit(&self, patience: Duration) -> ExitStatus {
        match self.exit_within(patience) {
            Some(status) => {
                self.log.wait_for_end(LAST_WORDS);
                status
            }
            None => panic!(
                "{} did not end within {patience:?}; it wrote:\n{}",
                self.name,
                self.log.text()
            ),
        }
    }

    /// How it ended, if it does within this time.
    #[must_use]
    pub fn exit_within(&self, patience: Duration) -> Option<ExitStatus> {
        let State { exit, changed } = &*self.state;
        let exit = exit.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(exit, patience, |exit| exit.is_none());
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // Its folder may be removed next, so nothing may write there any more.
        let _ = self.exit_within(PATIENCE);
    }
}

/// Waits for the end of a child in a thread of its own.
fn watch(mut child: Child, pid: Pid, state: Arc<State>) {
    thread::spawn(move || {
        // First without taking it off the process table, so that its id is freed under the lock only.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        let mut exit = state.exit.lock().unwrap_or_else(PoisonError::into_inner);
        *exit = Some(child.wait().expect("a child that was started can be waited for"));
        state.changed.notify_all();
    });
}
