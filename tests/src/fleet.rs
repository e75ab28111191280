//! Processes of the examples as a deploy starts and stops them.

use std::net::SocketAddr;
use std::time::Duration;

use crate::process::{PATIENCE, Process, Signal, program_path};
use crate::servers::Postgres;
use crate::wait::eventually;
use tempfile::TempDir;

use crate::connection::Wire;

/// No lame duck, because no router stands in front, unless a test overrides it: `("LAME_DUCK", "")` is the platform's time.
const AT_ONCE: (&str, &str) = ("LAME_DUCK", "0");

/// One process, and the port it serves.
#[derive(Debug)]
pub struct Instance {
    /// The process itself.
    pub process: Process,
    /// Its port on the loopback address.
    pub port: u16,
    _folder: TempDir,
}

impl Instance {
    /// Starts a program, as [`launch`] does, on a port of the system's choice and waits until it is ready.
    #[track_caller]
    #[must_use]
    pub fn start(program: &str, environment: &[(&str, &str)]) -> Self {
        let (process, folder) = Self::launch(program, 0, environment);
        let instance = Self { port: port_of(&process), process, _folder: folder };
        instance.wait_until_ready();
        instance
    }

    /// Starts a program of an example on this port and waits until it is ready.
    #[track_caller]
    #[must_use]
    pub fn on(port: u16, program: &str, environment: &[(&str, &str)]) -> Self {
        let (process, folder) = Self::launch(program, port, environment);
        let instance = Self { process, port, _folder: folder };
        instance.wait_until_ready();
        instance
    }

    #[track_caller]
    fn launch(program: &str, port: u16, environment: &[(&str, &str)]) -> (Process, TempDir) {
        let (variable, value) = match program.ends_with("-vm") {
            true => ("LISTEN", format!("127.0.0.1:{port}")),
            false => ("PORT", port.to_string()),
        };
        let environment = [&[AT_ONCE, (variable, value.as_str())], environment].concat();
        launch(program, &[], &environment)
    }

    #[track_caller]
    fn wait_until_ready(&self) {
        eventually("the process is ready", || {
            let ended = self.process.exit_within(Duration::ZERO);
            assert!(ended.is_none(), "it ended with {ended:?}:\n{}", self.process.log().text());
            let mut wire = Wire::try_to(self.address()).ok()?;
            (wire.get("/readyz").status == 200).then_some(())
        });
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Sends a stop signal and waits until the process logs that it drains.
    #[track_caller]
    pub fn tell(&self, signal: Signal) {
        self.process.signal(signal);
        self.process.wait_for_line(&["draining"]);
    }

    /// The exit code of a process that ends by itself within this time.
    #[track_caller]
    #[must_use]
    pub fn exit_code(&self, patience: Duration) -> i32 {
        let exit = self.process.wait_for_exit(patience);
        exit.code().unwrap_or_else(|| panic!("{exit}; it wrote:\n{}", self.process.log().text()))
    }
}

/// Starts a program in a folder of its own, with exactly this environment: an example's by its name, any
/// other by its path.
#[track_caller]
#[must_use]
pub fn launch(
    program: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (Process, TempDir) {
    let folder = TempDir::new().expect("a folder for temporary files");
    (Process::start(&program_path(program), arguments, folder.path(), environment), folder)
}

/// The port that a process listens on, once it has said that it is ready.
#[track_caller]
#[must_use]
pub fn port_of(process: &Process) -> u16 {
    let is_ready = |line: &str| line.contains("\"ready\"") || line.trim_end().ends_with(" ready");
    if process.log().wait_for(PATIENCE, is_ready).is_none() {
        panic!("it is not ready; it wrote:\n{}", process.log().text());
    }
    listening_port_of(process)
}

/// The port that a process says it listens on, whether or not its App has started.
#[track_caller]
#[must_use]
pub fn listening_port_of(process: &Process) -> u16 {
    let line = process.wait_for_line(&["listening on"]);
    let (_, address) = line.split_once("listening on ").expect("just found");
    let end = address.find(|c: char| !"[]:.0123456789abcdef".contains(c)).unwrap_or(address.len());
    let address: SocketAddr = address[..end].parse().unwrap_or_else(|_| panic!("{line}"));
    address.port()
}

/// A migrated database of notes, whose role may open only a limited number of connections at once.
#[derive(Debug)]
pub struct Notebook {
    /// The server it is on.
    pub server: Postgres,
    /// Its URL, for its owner.
    pub url: String,
}

impl Notebook {
    /// A database on a server that takes `max_connections`, of which `budget` are the deployment's.
    #[must_use]
    pub fn new(max_connections: usize, budget: usize) -> Self {
        let server = Postgres::start(&[&format!("max_connections={max_connections}")]);
        server.sql("CREATE ROLE notes LOGIN");
        server.sql("CREATE DATABASE notes OWNER notes");
        let url = format!("postgres://notes@127.0.0.1:{}/notes", server.port());
        let (migration, _folder) = launch("notes-paas", &["migrate"], &[("DATABASE_URL", &url)]);
        let exit = migration.wait_for_exit(PATIENCE);
        assert!(exit.success(), "{}", migration.log().text());
        // A connection beyond the budget is refused by the server itself, at whatever instant it comes.
        server.sql(&format!("ALTER ROLE notes CONNECTION LIMIT {budget}"));
        Self { server, url }
    }

    /// Runs SQL in the database of the notes, as its owner's superior.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        self.server.sql_in("notes", sql)
    }

    /// Connections that the notes' role has open.
    #[must_use]
    pub fn connections(&self) -> usize {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'notes'";
        self.server.sql(count).parse().expect("a count")
    }
}
