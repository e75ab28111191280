//! AWS's Runtime Interface Emulator: the Runtime API and the supervisor that AWS itself ships.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhost_tests::doors::send;
use anyhost_tests::process::{Process, Signal};
use anyhost_tests::servers::port;
use anyhost_tests::wait::eventually;
use anyhost_tests::wire::{Response, post};
use serde_json::Value;
use tempfile::TempDir;

use crate::artefact::bootstrap;
use crate::install::{part, script};

/// Where an invocation is posted, by the emulator's own name for every function.
pub(crate) const INVOCATIONS: &str = "/2015-03-31/functions/function/invocations";

/// An emulator with a function; both gone when dropped.
pub(crate) struct Emulator {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Emulator {
    /// Puts a program of the examples behind an emulator. It is started by the first invocation.
    pub(crate) fn start(program: &str, environment: &[(&str, &str)]) -> Self {
        let bootstrap = bootstrap(program);
        let start = |runtime: &[&str], folder: &Path| {
            let mut arguments = runtime.to_vec();
            arguments.push(bootstrap.to_str().unwrap());
            Process::start(&part("aws-lambda-rie"), &arguments, folder, environment)
        };
        Self::start_as(start)
    }

    /// The same as Lambda's managed instances run it: many invocations in one process. AWS's code takes that
    /// only from `/var/task/bootstrap`, so it gets a private `/var`.
    pub(crate) fn start_managed(program: &str, environment: &[(&str, &str)]) -> Self {
        let bootstrap = bootstrap(program);
        let start = |runtime: &[&str], folder: &Path| {
            let script = script("managed_instances.sh");
            let emulator = part("aws-lambda-rie");
            let mut arguments = vec![script.as_str()];
            arguments.push(bootstrap.to_str().unwrap());
            arguments.push(emulator.to_str().unwrap());
            arguments.extend(runtime);
            Process::start(Path::new("/bin/bash"), &arguments, folder, environment)
        };
        Self::start_as(start)
    }

    fn start_as(start: impl FnOnce(&[&str], &Path) -> Process) -> Self {
        let folder = TempDir::new().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port()));
        let (front, runtime) = (address.to_string(), format!("127.0.0.1:{}", port()));
        let mut arguments = vec!["--runtime-interface-emulator-address", &front];
        arguments.extend(["--runtime-api-address", &runtime, "--log-level", "info"]);
        let process = start(&arguments, folder.path());
        reachable(&process, address);
        Self { process, address, _folder: folder }
    }

    /// Where invocations are posted.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{INVOCATIONS}", self.address)
    }

    /// Posts an event and waits for what the caller of Lambda's API gets. One at a time: the emulator takes
    /// no second one meanwhile.
    #[track_caller]
    pub(crate) fn invoke(&self, event: &Value) -> Response {
        match send(self.address, &post(INVOCATIONS, event.to_string())) {
            Ok(response) => response,
            Err(error) => panic!("{error}; it wrote:\n{}", self.process.log().text()),
        }
    }

    /// The address, for several invocations at once.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The emulator itself, whose log is the function's too.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// The process id of the function, if it runs.
    pub(crate) fn function(&self) -> Option<u32> {
        let own = self.process.id();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.find(|pid| parent(*pid) == Some(own))
    }

    /// Sends the function a signal, which must be running.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.function().expect("the function runs");
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process has an id");
        rustix::process::kill_process(pid, signal).expect("the function is our child's child");
    }
}

/// Waits until a process listens at an address, or the process that should listen has ended.
#[track_caller]
pub(crate) fn reachable(process: &Process, address: SocketAddr) {
    eventually("somebody listens", || {
        let ended = process.exit_within(std::time::Duration::ZERO);
        assert!(ended.is_none(), "it ended; it wrote:\n{}", process.log().text());
        std::net::TcpStream::connect(address).ok()
    });
}

/// The parent of a process that has not ended.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    (state != "Z").then_some(())?;
    fields.next()?.parse().ok()
}
