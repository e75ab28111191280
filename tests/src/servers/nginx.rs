//! nginx as the proxy in front of an application: it keeps connections alive and retries nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::ground::{self, User};
use crate::process::{Process, Signal};
use crate::wait::eventually;

/// A proxy in front of processes on loopback ports, itself on a Unix socket.
///
/// A reload tells it the current processes, as an ingress controller or a deploy script does.
#[derive(Debug)]
pub struct Nginx {
    folder: PathBuf,
    process: Process,
    words: &'static str,
}

impl Nginx {
    /// Starts it in front of these ports.
    ///
    /// # Panics
    /// If `nginx` is not installed, with the name of its package.
    #[must_use]
    pub fn start(backends: &[u16]) -> Self {
        Self::start_with(backends, "")
    }

    /// Starts it with further options for the connections that it keeps alive.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(backends: &[u16], words: &'static str) -> Self {
        let program = ground::program(&["/usr/sbin/nginx"], "nginx");
        let folder = ground::folder("nginx", &User("root"));
        let text = configuration(backends, words);
        fs::write(folder.join("nginx.conf"), text).expect("the folder is ours");
        let prefix = folder.to_str().expect("a plain path");
        let arguments = ["-e", "stderr", "-p", prefix, "-c", "nginx.conf"];
        let process = Process::start(&program, &arguments, &folder, &[]);
        process.wait_for_line(&["start worker process "]);
        Self { folder, process, words }
    }

    /// The socket for its clients.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("front")
    }

    /// Makes it send requests to exactly these ports from now on. Requests that it has taken are finished
    /// by their old processes.
    #[track_caller]
    pub fn send_to(&self, backends: &[u16]) {
        let text = configuration(backends, self.words);
        fs::write(self.folder.join("nginx.conf"), text).expect("the folder is ours");
        let before = self.generations();
        self.process.signal(Signal::HUP);
        eventually("nginx has a new worker", || (self.generations() > before).then_some(()));
    }

    /// What it has written.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log().text()
    }

    fn generations(&self) -> usize {
        let lines = self.process.log().lines();
        lines.iter().filter(|line| line.contains("start worker process ")).count()
    }
}

fn configuration(backends: &[u16], words: &str) -> String {
    let mut servers = String::new();
    for port in backends {
        writeln!(servers, "        server 127.0.0.1:{port} max_fails=0;").expect("strings grow");
    }
    format!(
        "\
user root;
daemon off;
worker_processes 1;
pid pid;
error_log stderr notice;
events {{
    worker_connections 2048;
}}
http {{
    access_log off;
    map $http_upgrade $upgraded {{
        default upgrade;
        '' '';
    }}
    client_body_temp_path temporary-body;
    proxy_temp_path temporary-proxy;
    fastcgi_temp_path temporary-fastcgi;
    uwsgi_temp_path temporary-uwsgi;
    scgi_temp_path temporary-scgi;
    upstream app {{
{servers}        keepalive 64;
        {words}
    }}
    server {{
        listen unix:front;
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection $upgraded;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Host $http_host;
            proxy_next_upstream off;
        }}
    }}
}}
"
    )
}
