//! The deployed artefacts: the zips of the READMEs' build command, unpacked as Lambda unpacks them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhost_tests::process::builder;
use tempfile::TempDir;

use crate::install::{path, run, script, workspace};

/// The zips and what is in them; built once for each process of tests.
static BUILT: LazyLock<Built> = LazyLock::new(Built::new);

struct Built {
    zips: PathBuf,
    unpacked: TempDir,
}

/// The zip of a program, `"notes-lambda"` for instance.
pub(crate) fn zip(program: &str) -> PathBuf {
    BUILT.zips.join(program).join("bootstrap.zip")
}

/// The program out of its zip.
pub(crate) fn bootstrap(program: &str) -> PathBuf {
    BUILT.unpacked.path().join(program).join("bootstrap")
}

impl Built {
    fn new() -> Self {
        // A target folder of its own: this build takes other flags than those of the tests around it.
        let target = workspace().join("target/platforms");
        let mut build = builder("cargo-lambda");
        build.env("PATH", path()).env("CARGO_TARGET_DIR", &target);
        build.args(["lambda", "build", "--release", "--output-format", "zip", "--quiet"]);
        build.args(["--package", "notes", "--bin", "notes-lambda"]);
        build.args(["--package", "echo", "--bin", "echo-lambda"]);
        run(&mut build);
        let zips = target.join("lambda");
        let unpacked = TempDir::new().unwrap();
        for program in ["notes-lambda", "echo-lambda"] {
            let to = unpacked.path().join(program);
            unpack(&zips.join(program).join("bootstrap.zip"), &to);
        }
        Self { zips, unpacked }
    }
}

fn unpack(zip: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    let mut unpack = Command::new("python");
    unpack.env("PATH", path()).arg(script("unpack.py")).args([zip, to]);
    run(&mut unpack);
}
