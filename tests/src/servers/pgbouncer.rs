//! PgBouncer in transaction mode in front of a PostgreSQL of the test's.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Postgres;
use super::ground::{self, User};
use crate::process::{Process, Signal};

const USER: User = User("postgres");

/// A PgBouncer in transaction mode, with the defaults of its packages otherwise.
#[derive(Debug)]
pub struct PgBouncer {
    folder: PathBuf,
    port: u16,
    process: Process,
}

impl PgBouncer {
    /// Starts one with this many connections to the server for each database and user.
    #[must_use]
    pub fn start(server: &Postgres, pool: usize) -> Self {
        Self::begin(server, pool, "trust", "\"postgres\" \"\"\n")
    }

    /// Starts one with this kind of authentication: `plain`, `md5` or `scram-sha-256`. The users are lines of its
    /// own file: `"name" "password"`.
    #[must_use]
    pub fn start_with_logins(server: &Postgres, login: &str, users: &str) -> Self {
        Self::begin(server, 2, login, users)
    }

    fn begin(server: &Postgres, pool: usize, login: &str, users: &str) -> Self {
        let folder = ground::folder("pgbouncer", &USER);
        let port = ground::port();
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).expect("the folder is ours or we are root");
            USER.own(&path);
        };
        write("users", users.into());
        write(
            "ini",
            format!(
                "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr=127.0.0.1\n\
                 listen_port={port}\nunix_socket_dir=\nauth_type={login}\nauth_file={folder}/users\n\
                 pool_mode=transaction\ndefault_pool_size={pool}\nmax_client_conn=500\n\
                 pidfile={folder}/pid\nadmin_users=postgres\nlog_connections=0\nlog_disconnections=0\n",
                server.port(),
                folder = folder.display(),
            ),
        );
        let program =
            ground::program(&["/usr/sbin/pgbouncer", "/usr/local/bin/pgbouncer"], "pgbouncer");
        let process = USER.start(&program, &["ini"], &folder);
        process.wait_for_line(&["process up"]);
        Self { folder, port, process }
    }

    /// The URL of the database that a URL of the server names, through the pooler.
    #[must_use]
    pub fn url(&self, direct: &str) -> String {
        let (_, database) = direct.rsplit_once('/').expect("a URL with a database");
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs one of its own commands: `"RECONNECT"`.
    #[track_caller]
    pub fn command(&self, command: &str) -> String {
        let psql = ground::program(&["/usr/bin/psql", "/usr/local/bin/psql"], "postgresql");
        let mut psql = Command::new(psql);
        psql.env_clear().args(["-XAtq", "-d"]).arg(self.url("/pgbouncer"));
        ground::run(psql.args(["-c", command])).trim_end().to_owned()
    }

    /// Its process, to freeze it for instance.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.process.signal(Signal::QUIT);
        // A folder that cannot be removed now is removed at the end of the process.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
