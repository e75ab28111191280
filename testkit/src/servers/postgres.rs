//! PostgreSQL from `initdb`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::ground::{self, Session, User};
use crate::process::{PATIENCE, Process, Signal};

const USER: User = User("postgres");
const PACKAGE: &str = "postgresql";

/// Every user is let in without a password, except one that needs a password, one that needs TLS, and one
/// that needs a client certificate.
const ACCESS: &str = "\
local all all trust
host all locked 127.0.0.1/32 scram-sha-256
hostssl all encrypted 127.0.0.1/32 trust
host all encrypted 127.0.0.1/32 reject
hostssl all certified 127.0.0.1/32 cert
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
";

/// A fresh cluster, made once for each process of tests and copied from then on.
static TEMPLATE: LazyLock<PathBuf> = LazyLock::new(|| {
    let data = ground::folder("template", &USER).join("data");
    let mut initdb = USER.command(&program("initdb"));
    initdb.arg("--pgdata").arg(&data).current_dir("/");
    initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]);
    ground::run(initdb.arg("--no-sync"));
    fs::write(data.join("pg_hba.conf"), ACCESS).expect("the folder is ours or we are root");
    data
});

/// A PostgreSQL server of one test, or of several.
///
/// The user `postgres` needs no password; the user `locked` does, `encrypted` needs TLS and `certified` a
/// certificate, once a test has made them.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    session: Session,
    process: Mutex<Option<Process>>,
}

impl Postgres {
    /// Starts a server with these settings: `"max_connections=50"`.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        Self::start_in(Session::Ours, settings)
    }

    /// Starts a server with these settings in a session of its own, as a service has one.
    #[must_use]
    pub fn start_as_service(settings: &[&str]) -> Self {
        Self::start_in(Session::Own, settings)
    }

    fn start_in(session: Session, settings: &[&str]) -> Self {
        let folder = ground::folder_with("postgres", &USER, &TEMPLATE);
        let server = Self {
            folder,
            port: ground::port(),
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            session,
            process: Mutex::new(None),
        };
        server.restart();
        server
    }

    /// Whether PostgreSQL's programs are on this machine.
    #[must_use]
    pub fn is_installed() -> bool {
        let found =
            |name| ground::find_program(&places(name).each_ref().map(String::as_str)).is_some();
        ["initdb", "postgres", "psql"].into_iter().all(found)
    }

    /// The server that tests without special settings share: 200 connections.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Postgres> =
            LazyLock::new(|| Postgres::start(&["max_connections=200"]));
        &SHARED
    }

    /// The URL of its database `postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The URL of a new, empty database.
    #[must_use]
    pub fn database(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"));
        self.url_of(&name)
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on, the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Runs SQL in its database `postgres`, through `psql`; columns come back with `|` between them.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        self.sql_in("postgres", sql)
    }

    /// Runs SQL in another of its databases.
    #[track_caller]
    pub fn sql_in(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(program("psql"));
        psql.env_clear().args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d"]).arg(self.url_of(database));
        ground::run(psql.args(["-c", sql])).trim_end().to_owned()
    }

    /// Ends every connection of clients and returns their number.
    pub fn terminate_all(&self) -> usize {
        let ended = self.sql(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
        );
        ended.parse().expect("a count")
    }

    /// Stops it: connections are ended, data is kept.
    pub fn stop(&self) {
        self.end(Signal::INT);
    }

    /// Stops it as a crash would, at once.
    pub fn crash(&self) {
        self.end(Signal::QUIT);
    }

    fn end(&self, signal: Signal) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(process) = process {
            process.signal(signal);
            process.wait_for_exit(PATIENCE);
        }
    }

    /// Starts it again, whether it runs or not.
    #[track_caller]
    pub fn restart(&self) {
        self.stop();
        let port = self.port.to_string();
        let (data, folder) = (self.data(), self.folder.display().to_string());
        let data = data.to_str().expect("a plain path");
        let mut arguments = vec!["-D", data, "-p", &port, "-k", &folder];
        let own = [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "log_line_prefix=%m [%p] %a ",
            "log_checkpoints=off",
            "shared_buffers=16MB",
        ];
        for setting in own.into_iter().chain(self.settings.iter().map(String::as_str)) {
            arguments.extend(["-c", setting]);
        }
        let program = program("postgres");
        let process = USER.start_in(self.session, &program, &arguments, &self.folder);
        process.wait_for_line(&["database system is ready to accept connections"]);
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
    }

    /// What it has logged since its last start.
    #[must_use]
    pub fn log(&self) -> String {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_ref().map(|process| process.log().text()).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.crash();
        // A folder that cannot be removed now is removed at the end of the process.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A program of the newest PostgreSQL on this machine.
fn program(name: &str) -> PathBuf {
    ground::program(&places(name).each_ref().map(String::as_str), PACKAGE)
}

fn places(name: &str) -> [String; 5] {
    let places = [
        "/usr/lib/postgresql/*/bin",
        "/opt/homebrew/bin",
        "/usr/local/bin",
        "/usr/bin",
        "/Applications/Postgres.app/Contents/Versions/latest/bin",
    ];
    places.map(|place| format!("{place}/{name}"))
}
