//! The third-party parts: where `tests/platforms/install` has put them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("this package has a workspace around it").into()
}

/// A part by its place in `.platforms`.
#[track_caller]
pub(crate) fn part(place: &str) -> PathBuf {
    let path = workspace().join(".platforms").join(place);
    assert!(path.exists(), "{} is missing: run tests/platforms/install", path.display());
    path
}

/// A script that lies beside these tests.
pub(crate) fn script(name: &str) -> String {
    workspace().join("tests/platforms").join(name).display().to_string()
}

/// The folders in which third-party parts look for programs: this toolchain's and the system's.
pub(crate) fn path() -> String {
    let toolchain = Path::new(env!("CARGO")).parent().expect("cargo lies in a folder");
    format!("{}:{}:/usr/bin:/bin", part("venv/bin").display(), toolchain.display())
}

/// Runs a part that must succeed, and returns its standard output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let words = [&output.stdout, &output.stderr].map(|out| String::from_utf8_lossy(out));
    assert!(output.status.success(), "{command:?}: {}\n{}\n{}", output.status, words[0], words[1]);
    output.stdout
}
