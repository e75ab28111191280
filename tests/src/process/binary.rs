//! The programs of the examples, built by cargo once for each test process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use serde_json::Value;

type Built = Arc<OnceLock<Result<PathBuf, String>>>;

static BUILT: LazyLock<Mutex<HashMap<String, Built>>> = LazyLock::new(Mutex::default);

/// The path of an example's program, `"echo-paas"` for instance, in the profile of this test. Cargo
/// builds it at the first call, so that no test ever runs what was built from other sources.
///
/// # Panics
/// If it does not compile, with cargo's own words.
#[track_caller]
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let built = {
        let mut all = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(name.to_owned()).or_default())
    };
    match built.get_or_init(|| build(name)) {
        Ok(path) => path.clone(),
        Err(error) => panic!("{name}: {error}"),
    }
}

/// The path of a program: an example's by its name, as [`binary`] builds it, any other by its path.
#[track_caller]
#[must_use]
pub fn program_path(program: &str) -> PathBuf {
    if program.contains('/') { program.into() } else { binary(program) }
}

fn build(name: &str) -> Result<PathBuf, String> {
    let mut cargo = builder(env!("CARGO"));
    // All features of the workspace together: programs that are built one package at a time have other features each, and
    // everything below them is built again.
    cargo.args(["build", "--workspace", "--bin", name]);
    executable(cargo, name)
}

/// Runs this `cargo build` in the profile of this test, and returns the path of the program with this name.
pub(super) fn executable(mut cargo: Command, name: &str) -> Result<PathBuf, String> {
    cargo.args(["--quiet", "--message-format=json-render-diagnostics"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cargo cannot be started: {error}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("does not build:\n{words}"));
    }
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let messages = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut programs = messages.filter(|message| message["target"]["name"] == name);
    let path = programs.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    path.ok_or_else(|| format!("cargo named no program:\n{words}"))
}

/// A command that builds packages of the workspace, in its folder and without the variables that cargo has set for this
/// package alone: build scripts that depend on these would run again for every test package.
#[must_use]
pub fn builder(program: &str) -> Command {
    let mut command = Command::new(program);
    for variable in PACKAGE_VARIABLES {
        command.env_remove(variable);
    }
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command
}

const PACKAGE_VARIABLES: [&str; 18] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_MANIFEST_LINKS",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_RUST_VERSION",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
    "CARGO_PRIMARY_PACKAGE",
];
