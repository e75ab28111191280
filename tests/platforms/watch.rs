//! `cargo lambda watch`: a Function URL over plain HTTP, and a Runtime API with ways of its own.

use std::fs;
use std::net::SocketAddr;

use anyhost_tests::doors::send;
use anyhost_tests::process::Process;
use anyhost_tests::servers::port;
use anyhost_tests::wire::{Request, Response};
use tempfile::TempDir;

use crate::artefact::bootstrap;
use crate::emulator::reachable;
use crate::install::{part, path};

/// `cargo lambda watch` with a function beside it; both gone when dropped.
pub(crate) struct Watch {
    function: Process,
    watch: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Watch {
    pub(crate) fn start(program: &str, environment: &[(&str, &str)]) -> Self {
        let folder = project();
        let address = SocketAddr::from(([127, 0, 0, 1], port()));
        let port = address.port().to_string();
        let arguments = ["lambda", "watch", "--only-lambda-apis", "-A", "127.0.0.1", "-P", &port];
        let (path, home) = (path(), folder.path().to_str().unwrap());
        let watch = Process::start(
            &part("venv/bin/cargo-lambda"),
            &arguments,
            folder.path(),
            &[("PATH", &path), ("HOME", home)],
        );
        reachable(&watch, address);
        // The variables that it asks for; the function name `_` stands for every path.
        let api = format!("http://{address}/.rt");
        let mut all = vec![
            ("AWS_LAMBDA_RUNTIME_API", api.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "_"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "4096"),
        ];
        all.extend(environment);
        let function = Process::start(&bootstrap(program), &[], folder.path(), &all);
        Self { function, watch, address, _folder: folder }
    }

    /// Sends a request as a client would.
    #[track_caller]
    pub(crate) fn send(&self, request: &Request) -> Response {
        match send(self.address, request) {
            Ok(response) => response,
            Err(error) => panic!(
                "{error}; it wrote:\n{}\nthe function wrote:\n{}",
                self.watch.log().text(),
                self.function.log().text()
            ),
        }
    }

    /// The function.
    pub(crate) fn function(&self) -> &Process {
        &self.function
    }
}

/// A project, without which it does not start, though it has nothing to build.
fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    let manifest = "[package]\nname = \"watched\"\nversion = \"0.0.0\"\n\n[workspace]\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), "fn main() {}\n").unwrap();
    folder
}
