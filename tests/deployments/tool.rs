//! The tools that the install script brought, run to their end.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How to get what is missing.
const INSTALL: &str = "run tests/platforms/install-deployments";

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in it").to_owned()
}

/// The deploy folder of notes, or a file in it.
pub(crate) fn deploy(file: &str) -> PathBuf {
    root().join("examples/notes/deploy").join(file)
}

/// A file or folder of `.platforms`.
#[track_caller]
pub(crate) fn part(name: &str) -> PathBuf {
    let path = root().join(".platforms").join(name);
    assert!(path.exists(), "{} is missing: {INSTALL}", path.display());
    path
}

/// A program of the linters' own Python.
#[track_caller]
pub(crate) fn python(name: &str) -> Command {
    Command::new(part("deployments/bin").join(name))
}

/// A program of the machine.
#[track_caller]
pub(crate) fn program(path: &str) -> Command {
    assert!(Path::new(path).exists(), "{path} is missing: {INSTALL}");
    Command::new(path)
}

/// Runs a program that must succeed, and returns both of its outputs.
#[track_caller]
pub(crate) fn words(command: &mut Command) -> String {
    let (succeeded, words) = outcome(command);
    assert!(succeeded, "{command:?}:\n{words}");
    words
}

/// Runs a program that must succeed, and returns its standard output.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{errors}");
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// Whether a program succeeds, and everything that it writes.
#[track_caller]
pub(crate) fn outcome(command: &mut Command) -> (bool, String) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut words = String::from_utf8_lossy(&output.stdout).into_owned();
    words.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.success(), words)
}

/// The documents of a YAML file, as JSON.
#[track_caller]
pub(crate) fn yaml(file: &Path) -> Vec<serde_json::Value> {
    let script = "import json, sys, yaml\n\
                  print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let json = output(python("python").args(["-c", script]).arg(file));
    serde_json::from_str(&json).expect("Python writes JSON")
}
