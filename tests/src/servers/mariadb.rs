//! MariaDB from `mariadb-install-db`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::ground::{self, User};
use crate::process::{PATIENCE, Process, Signal};

const USER: User = User("mysql");
const PACKAGE: &str = "mariadb-server";

/// Fresh data, made once for each process of tests and copied from then on.
static TEMPLATE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = ground::folder("template", &USER);
    let data = folder.join("data");
    let install = program(&["/usr/bin/mariadb-install-db", "/usr/local/bin/mariadb-install-db"]);
    let mut install = Command::new(install);
    install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    // In a folder of its own: a server that starts removes the temporary tables of every other one in the same.
    install.env("TMPDIR", &folder);
    ground::run(install.arg(USER.argument()).arg(format!("--datadir={}", data.display())));
    data
});

/// A MariaDB server of one test, or of several. The users `root` and `app`, who is an ordinary one, need no
/// password.
#[derive(Debug)]
pub struct MariaDb {
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    process: Mutex<Option<Process>>,
}

impl MariaDb {
    /// Starts a server with these settings: `"max_connections=50"`.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        let folder = ground::folder_with("mariadb", &USER, &TEMPLATE);
        let server = Self {
            folder,
            port: ground::port(),
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            process: Mutex::new(None),
        };
        server.restart();
        server.sql("CREATE USER app@localhost; GRANT ALL ON *.* TO app@localhost; REVOKE SUPER, CONNECTION ADMIN, READ_ONLY ADMIN ON *.* FROM app@localhost");
        server
    }

    /// The server that tests without special settings share.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<MariaDb> = LazyLock::new(|| MariaDb::start(&[]));
        &SHARED
    }

    /// The URL of a new, empty database, for the user `app`.
    #[must_use]
    pub fn database(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"));
        format!("mysql://app@127.0.0.1:{}/{name}", self.port)
    }

    /// The port it listens on, the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL as root; columns come back with tabs between them.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        let mut client = Command::new(program(&["/usr/bin/mariadb", "/usr/local/bin/mariadb"]));
        client.arg("--no-defaults").arg(format!("--socket={}", self.socket()));
        ground::run(client.args(["--user=root", "-BN", "-e", sql])).trim_end().to_owned()
    }

    /// Stops it as a crash would, at once.
    pub fn crash(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(process) = process {
            process.signal(Signal::KILL);
            process.wait_for_exit(PATIENCE);
            // The remaining file of its process id would look like a running server.
            let _ = fs::remove_file(self.folder.join("pid"));
        }
    }

    /// Starts it again, whether it runs or not.
    #[track_caller]
    pub fn restart(&self) {
        self.crash();
        let folder = self.folder.display();
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            USER.argument(),
            format!("--datadir={folder}/data"),
            format!("--tmpdir={folder}"),
            format!("--pid-file={folder}/pid"),
            format!("--socket={}", self.socket()),
            format!("--port={}", self.port),
            "--bind-address=127.0.0.1".into(),
            "--skip-name-resolve=0".into(),
            "--innodb-flush-log-at-trx-commit=0".into(),
            "--innodb-buffer-pool-size=32M".into(),
        ];
        arguments.extend(self.settings.iter().map(|setting| format!("--{setting}")));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let program = program(&["/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd"]);
        let process = Process::start(&program, &arguments, &self.folder, &[]);
        process.wait_for_line(&["ready for connections"]);
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
    }

    fn socket(&self) -> String {
        format!("{}/socket", self.folder.display())
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.crash();
        // A folder that cannot be removed now is removed at the end of the process.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn program(places: &[&str]) -> PathBuf {
    ground::program(places, PACKAGE)
}
